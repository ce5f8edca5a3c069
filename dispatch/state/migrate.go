package state

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// migrations are numbered without gaps from 1. A released migration is never changed.
//
//go:embed migrations/*.sql
var migrations embed.FS

// versionTable is the table in which goose records its migrations.
const versionTable = "migration"

// Migrate creates the schema and its tables, or brings them to this program's version; if
// they are up to date, it changes nothing and only needs to read. Concurrent calls are
// safe: one waits for the other. Tables of a newer version are a *SchemaError. conn must
// not be in a transaction; the migrations run on another connection to the same database,
// each in its own transaction.
func Migrate(ctx context.Context, conn *pgx.Conn, schema string) (err error) {
	unlock, err := lock(ctx, conn, schema)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	version, err := Version(ctx, conn, schema)
	if err != nil {
		return err
	}
	switch newest := Newest(); {
	case version == newest:
		return nil
	case version > newest:
		return &SchemaError{Schema: schema, Fault: SchemaNewer, Have: version, Want: newest}
	case version == 0:
		// CREATE SCHEMA IF NOT EXISTS needs CREATE on the database even if the schema
		// exists.
		if _, err := conn.Exec(ctx, makeSchema(schema)); err != nil {
			return fmt.Errorf("make schema %s: %w", schema, err)
		}
	}
	if err := up(ctx, conn, schema); err != nil || version >= identified {
		return err
	}
	return identify(ctx, conn, schema)
}

// identified is the first version whose tables record their database.
const identified = 2

// lock makes concurrent Migrates and Drops of the schema wait.
func lock(ctx context.Context, conn *pgx.Conn, schema string) (unlock func() error, err error) {
	const key = `pg_catalog.hashtextextended('hooktail migrate ' || $1, 0)`
	if _, err := conn.Exec(ctx, "SELECT pg_catalog.pg_advisory_lock("+key+")", schema); err != nil {
		return nil, fmt.Errorf("lock migrations of schema %s: %w", schema, err)
	}
	return func() error {
		const failed = 'E'
		if conn.PgConn().TxStatus() == failed {
			return nil // nothing can be run in this transaction; the lock ends with the connection
		}
		_, err := conn.Exec(context.WithoutCancel(ctx), "SELECT pg_catalog.pg_advisory_unlock("+key+")", schema)
		if conn.IsClosed() {
			return nil // likewise
		}
		return wrap(err, "unlock migrations of schema "+schema)
	}, nil
}

// up runs the missing migrations, in a session that only sees the schema.
func up(ctx context.Context, conn *pgx.Conn, schema string) error {
	options := conn.Config()
	options.RuntimeParams["search_path"] = quote(schema)
	db := stdlib.OpenDB(*options)
	defer db.Close() //nolint:errcheck // the connection's end has nothing to add
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("open migrations: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true), goose.WithSlog(slog.New(slog.DiscardHandler)))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	_, err = provider.Up(ctx)
	return wrap(err, "migrate schema "+schema)
}

// MigrationLacks returns what the role lacks to create or migrate the schema's tables,
// and the SQL that grants it; "" if nothing. Creating the schema itself needs CREATE on
// the database.
func MigrationLacks(ctx context.Context, conn *pgx.Conn, schema string) (what, mend string, newSchema bool, err error) {
	n, err := lookUp(ctx, conn, schema)
	if err != nil || !n.there {
		return "", "", err == nil, err
	}
	version, err := Version(ctx, conn, schema)
	switch {
	case err == nil && version >= Newest():
		return "", "", false, nil // there is nothing to do
	case n.foreign:
		return fmt.Sprintf("must be owner of the tables in schema %q", schema), "hooktail setup as their owner;", false, nil
	case !n.create:
		return fmt.Sprintf("role %q lacks CREATE on schema %q", n.role, schema), fmt.Sprintf("GRANT CREATE ON SCHEMA %s TO %s;", quote(schema), quote(n.role)), false, nil
	}
	return "", "", false, err
}

// namespace is the schema as the role finds it.
type namespace struct {
	there   bool
	owned   bool // the role is a member of its owner
	foreign bool // a table belongs to a role of which this role is not a member
	create  bool // the role may create tables
	role    string
}

func lookUp(ctx context.Context, conn *pgx.Conn, schema string) (n namespace, err error) {
	err = conn.QueryRow(ctx, `SELECT true, pg_catalog.pg_has_role(n.nspowner, 'USAGE'), EXISTS (SELECT FROM pg_catalog.pg_class c
			WHERE c.relnamespace = n.oid AND c.relkind = 'r' AND c.relname = ANY ($2) AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')),
			pg_catalog.has_schema_privilege(n.oid, 'CREATE'), current_user
		FROM pg_catalog.pg_namespace n WHERE n.nspname = $1`, schema, ownTables()).Scan(&n.there, &n.owned, &n.foreign, &n.create, &n.role)
	if errors.Is(err, pgx.ErrNoRows) {
		return n, nil
	}
	return n, wrap(err, "look up schema "+schema)
}

// Statements returns the SQL that Migrate would run on a database without the schema, in
// order, each with its semicolon. If they are run by hand, Migrate has nothing to do.
// They are for one session, whose search_path they set.
func Statements(schema string) []string {
	statements := []string{
		makeSchema(schema) + ";",
		"SET search_path TO " + quote(schema) + ";",
		"CREATE TABLE " + versionTable + " (\n    id integer PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY,\n" +
			"    version_id bigint NOT NULL,\n    is_applied boolean NOT NULL,\n    tstamp timestamp NOT NULL DEFAULT now()\n);",
		"INSERT INTO " + versionTable + " (version_id, is_applied) VALUES (0, true);",
	}
	for i, text := range texts() {
		statements = append(statements, split(text)...)
		statements = append(statements, fmt.Sprintf("INSERT INTO %s (version_id, is_applied) VALUES (%d, true);", versionTable, i+1))
	}
	return append(statements, "RESET search_path;")
}

// texts returns the migrations in order.
func texts() []string {
	names, err := fs.Glob(migrations, "migrations/*.sql") // sorted
	if err != nil {
		panic(err) // the pattern is a constant
	}
	out := make([]string, len(names))
	for i, name := range names {
		text, err := migrations.ReadFile(name)
		if err != nil {
			panic(err) // it is built in
		}
		out[i] = string(text)
	}
	return out
}

// split returns the statements of a migration. Like goose, it ends a statement at a line
// that ends with a semicolon. Comments above a statement belong to it.
func split(text string) []string {
	_, text, _ = strings.Cut(text, "-- +goose Up\n")
	var out []string
	for part := range strings.SplitAfterSeq(text, ";\n") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// Drop removes the tables with all parked deliveries, and the schema unless it has other
// content. Missing things are skipped. conn may be in a transaction.
func Drop(ctx context.Context, conn *pgx.Conn, schema string) (err error) {
	unlock, err := lock(ctx, conn, schema)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if n, err := lookUp(ctx, conn, schema); err != nil || !n.there {
		return err
	}
	if _, err := conn.Exec(ctx, "DROP FUNCTION IF EXISTS "+quote(schema, emitFunction)+emitArguments); err != nil { // its tables are among the others
		return wrap(err, "drop the function "+schema+".emit")
	}
	var names []string
	for _, table := range ownTables() {
		names = append(names, quote(schema, table))
	}
	_, err = conn.Exec(ctx, "DROP TABLE IF EXISTS "+strings.Join(names, ", "))
	if fault, ok := errors.AsType[*pgconn.PgError](err); ok && fault.Code == dependentObjects {
		// Only the detail names the objects, one per line.
		return fmt.Errorf("nothing was removed: other objects need the tables in schema %s: %s: drop these objects first",
			schema, strings.ReplaceAll(fault.Detail, "\n", ", "))
	}
	if err != nil {
		return fmt.Errorf("drop tables of schema %s: %w", schema, err)
	}
	if schema == "public" {
		return nil // it did not exist
	}
	var shared bool // checked first, since a failing statement would end the caller's transaction
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_namespace n ON n.oid = d.refobjid
		WHERE d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.deptype = 'n' AND n.nspname = $1)`, schema).Scan(&shared); err != nil {
		return fmt.Errorf("look for other content of schema %s: %w", schema, err)
	}
	if shared {
		return nil
	}
	_, err = conn.Exec(ctx, "DROP SCHEMA "+quote(schema))
	return wrap(err, "drop schema "+schema)
}

// ownTables returns all tables that Migrate, SetUpEmit and NoteTaskEvents create.
func ownTables() []string {
	return []string{"parked", "hook_setting", "position", "identity", "hook_seen", "done", "log_partition", "log_body", "log_stream", versionTable, emitSecret, taskEvents}
}

func makeSchema(schema string) string { return "CREATE SCHEMA IF NOT EXISTS " + quote(schema) }

// quote returns the quoted name, or dotted parts of one.
func quote(parts ...string) string { return pgx.Identifier(parts).Sanitize() }
