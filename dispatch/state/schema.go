package state

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Fault is the kind of a SchemaError.
type Fault int

// Kinds of a SchemaError.
const (
	SchemaMissing Fault = iota + 1 // there are no tables
	SchemaOlder                    // they lack migrations of this program
	SchemaNewer                    // they were migrated by a newer program
	SchemaDenied                   // the role may not use them
)

// SchemaError states why hooktail cannot run on the present tables. Its message includes
// the remedy.
type SchemaError struct {
	Schema string
	Fault  Fault
	Have   int64 // version; 0: no tables, or unknown
	Want   int64
	Role   string // the role in use; "" if irrelevant
}

func (e *SchemaError) Error() string {
	switch e.Fault {
	case SchemaMissing:
		return fmt.Sprintf("schema %q has no tables of hooktail: run `hooktail setup` as a role that may create them%s", e.Schema, e.grants(", and after that "))
	case SchemaOlder:
		return fmt.Sprintf("the tables in schema %q have version %d, older than %d, which this hooktail needs: run `hooktail setup` as their owner%s",
			e.Schema, e.Have, e.Want, e.grants(", and after that "))
	case SchemaNewer:
		return fmt.Sprintf("the tables in schema %q have version %d, newer than this hooktail, which knows %d: run a newer hooktail", e.Schema, e.Have, e.Want)
	default:
		return fmt.Sprintf("role %q may not use the tables in schema %q%s", e.Role, e.Schema, e.grants(": let their owner run "))
	}
}

// grants returns the statements for the owner if that is another role.
func (e *SchemaError) grants(lead string) string {
	if e.Role == "" {
		return ""
	}
	return lead + strings.Join(Grants(e.Schema, e.Role), " ")
}

// Grants returns the SQL that lets a role other than the owner of the tables run hooktail
// on them, each statement with its semicolon. It must be run again after a migration that
// adds tables.
func Grants(schema, role string) []string {
	return []string{
		fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s;", quote(schema), quote(role)),
		fmt.Sprintf("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %s TO %s;", quote(schema), quote(role)),
	}
}

// Newest returns the version of the tables that this program creates and needs.
func Newest() int64 { return int64(len(texts())) }

// Querier is all that functions without a Store need: a pgx connection, transaction or
// pool.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// Version returns the version of the tables, 0 if there are none. A role that may not
// read it gets a *SchemaError.
func Version(ctx context.Context, q Querier, schema string) (int64, error) {
	var version int64
	err := q.QueryRow(ctx, "SELECT coalesce(max(version_id) FILTER (WHERE is_applied), 0) FROM "+quote(schema, versionTable)).Scan(&version)
	switch sqlState(err) {
	case undefinedTable, invalidSchemaName:
		return 0, nil
	case insufficientPrivilege:
		role, roleErr := currentRole(ctx, q)
		return 0, errors.Join(&SchemaError{Schema: schema, Fault: SchemaDenied, Want: Newest(), Role: role}, roleErr)
	}
	return version, wrap(err, "read version of schema "+schema)
}

// grantee is currentRole, or "" for a superuser, who needs no privileges.
func grantee(ctx context.Context, q Querier) (role string, err error) {
	err = q.QueryRow(ctx, "SELECT CASE WHEN current_setting('is_superuser') = 'on' THEN '' ELSE current_user END").Scan(&role)
	return role, wrap(err, "read the role's name")
}

func currentRole(ctx context.Context, q Querier) (role string, err error) {
	err = q.QueryRow(ctx, "SELECT current_user").Scan(&role)
	return role, wrap(err, "read the role's name")
}

// sqlState returns the SQLSTATE of the server's error, "" for other errors.
func sqlState(err error) string {
	if fault, ok := errors.AsType[*pgconn.PgError](err); ok {
		return fault.Code
	}
	return ""
}

// SQLSTATEs.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
const (
	uniqueViolation       = "23505"
	dependentObjects      = "2BP01"
	invalidSchemaName     = "3F000"
	insufficientPrivilege = "42501"
	undefinedColumn       = "42703"
	undefinedTable        = "42P01"
	lockNotAvailable      = "55P03"
)

// Check returns a *SchemaError if this version of hooktail cannot run on the tables with
// the role's privileges. It changes nothing.
func Check(ctx context.Context, q Querier, schema string) error {
	have, err := Version(ctx, q, schema)
	if err != nil {
		return err
	}
	role, err := grantee(ctx, q)
	if err != nil {
		return err
	}
	fault := &SchemaError{Schema: schema, Have: have, Want: Newest(), Role: role}
	switch {
	case have == 0:
		fault.Fault = SchemaMissing
	case have < fault.Want:
		fault.Fault = SchemaOlder
	case have > fault.Want:
		fault.Fault = SchemaNewer
	default:
		var may bool
		if err := q.QueryRow(ctx, privileges, schema).Scan(&may); err != nil || may {
			return wrap(err, "check privileges on schema "+schema)
		}
		fault.Fault = SchemaDenied
	}
	return fault
}

// privileges checks those that a Store needs. A list of privileges in one text would mean
// any of them.
const privileges = `SELECT bool_and(has_table_privilege(c.oid, wanted)) FROM pg_catalog.pg_class c, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) wanted
	WHERE c.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1)
	AND c.relname IN ('parked', 'hook_setting', 'position', 'identity', 'hook_seen', 'done', 'log_partition', 'log_body', 'log_stream')`
