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
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// migrations are numbered without gaps from 1. One that has been released is
// never changed.
//
//go:embed migrations/*.sql
var migrations embed.FS

// versionTable is where goose keeps which migrations it has run.
const versionTable = "migration"

// Migrate makes the schema and its tables, or brings them to the version of this
// program; where they are, it changes nothing and needs no privilege but to
// look. Two at once are safe: one waits for the other. Tables of a newer version
// are a *SchemaError. conn must not be in a transaction; the migrations run on
// another connection to the same database, each in a transaction of its own.
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
		// Asking for a schema that is there needs CREATE on the database as well.
		if _, err := conn.Exec(ctx, makeSchema(schema)); err != nil {
			return fmt.Errorf("make schema %s: %w", schema, err)
		}
	}
	if err := up(ctx, conn, schema); err != nil || version >= identified {
		return err
	}
	return identify(ctx, conn, schema)
}

// identified is the version from which on the tables know their database.
const identified = 2

// lock keeps other Migrates and Drops of the schema waiting.
func lock(ctx context.Context, conn *pgx.Conn, schema string) (unlock func() error, err error) {
	const key = `pg_catalog.hashtextextended('hooktail migrate ' || $1, 0)`
	if _, err := conn.Exec(ctx, "SELECT pg_catalog.pg_advisory_lock("+key+")", schema); err != nil {
		return nil, fmt.Errorf("lock migrations of schema %s: %w", schema, err)
	}
	return func() error {
		_, err := conn.Exec(context.WithoutCancel(ctx), "SELECT pg_catalog.pg_advisory_unlock("+key+")", schema)
		if conn.IsClosed() {
			return nil // and the lock is gone with it
		}
		return wrap(err, "unlock migrations of schema "+schema)
	}, nil
}

// up runs the migrations that are missing, in a session that sees the schema alone.
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
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate schema %s: %w", schema, err)
	}
	return nil
}

// MigrationLacks says what the role lacks to make the schema's tables or to bring them up
// to date, and the SQL that gives it; "" if nothing. Making the schema itself needs CREATE
// on the database.
func MigrationLacks(ctx context.Context, conn *pgx.Conn, schema string) (what, mend string, newSchema bool, err error) {
	var create, foreign bool
	var role string
	err = conn.QueryRow(ctx, `SELECT pg_catalog.has_schema_privilege(n.oid, 'CREATE'), EXISTS (SELECT FROM pg_catalog.pg_class c
			WHERE c.relnamespace = n.oid AND c.relkind = 'r' AND c.relname = ANY ($2) AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')), current_user
		FROM pg_catalog.pg_namespace n WHERE n.nspname = $1`, schema, ownTables()).Scan(&create, &foreign, &role)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", "", true, nil
	}
	if err != nil {
		return "", "", false, fmt.Errorf("look schema %s up: %w", schema, err)
	}
	version, err := Version(ctx, conn, schema)
	switch {
	case err == nil && version >= Newest():
		return "", "", false, nil // there is nothing to do
	case foreign:
		return fmt.Sprintf("must be owner of the tables in schema %q", schema), "hooktail setup as their owner;", false, nil
	case !create:
		return fmt.Sprintf("role %q lacks CREATE on schema %q", role, schema), fmt.Sprintf("GRANT CREATE ON SCHEMA %s TO %s;", quote(schema), quote(role)), false, nil
	}
	return "", "", false, err
}

// Statements is the SQL that Migrate would run on a database without the schema,
// in order, each with its semicolon: with them run by hand, Migrate finds nothing
// left to do. They are for one session, whose search_path they set.
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

// texts are the migrations, the first one first.
func texts() []string {
	names, err := fs.Glob(migrations, "migrations/*.sql") // in order
	if err != nil {
		panic(err) // the pattern is a constant
	}
	out := make([]string, len(names))
	for i, name := range names {
		text, err := migrations.ReadFile(name)
		if err != nil {
			panic(err) // it is in the program
		}
		out[i] = string(text)
	}
	return out
}

// split is the statements of a migration, which end where a line ends with a
// semicolon, as goose has it. What stands above one belongs to it.
func split(text string) []string {
	_, text, _ = strings.Cut(text, "-- +goose Up\n")
	parts := strings.SplitAfter(text, ";\n")
	var out []string
	for _, part := range parts {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// Drop removes the tables with all that is parked, and the schema unless there
// is something else in it. What is not there is passed over. conn may be in a transaction.
func Drop(ctx context.Context, conn *pgx.Conn, schema string) (err error) {
	unlock, err := lock(ctx, conn, schema)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	var there bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)`, schema).Scan(&there); err != nil {
		return fmt.Errorf("look schema %s up: %w", schema, err)
	}
	if !there {
		return nil
	}
	if err := dropEmit(ctx, conn, schema); err != nil {
		return err
	}
	var names []string
	for _, table := range ownTables() {
		names = append(names, quote(schema, table))
	}
	if _, err := conn.Exec(ctx, "DROP TABLE IF EXISTS "+strings.Join(names, ", ")); err != nil {
		return fmt.Errorf("drop tables of schema %s: %w", schema, err)
	}
	if schema == "public" {
		return nil // it was there before
	}
	var shared bool // asked before, since a statement that fails would end the caller's transaction
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_namespace n ON n.oid = d.refobjid
		WHERE d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.deptype = 'n' AND n.nspname = $1)`, schema).Scan(&shared); err != nil {
		return fmt.Errorf("look for what else is in schema %s: %w", schema, err)
	}
	if shared {
		return nil
	}
	_, err = conn.Exec(ctx, "DROP SCHEMA "+quote(schema))
	return wrap(err, "drop schema "+schema)
}

// ownTables are all that Migrate, SetUpEmit and NoteTaskEvents make.
func ownTables() []string {
	return []string{"parked", "hook_setting", "position", "identity", "hook_seen", "done", versionTable, emitSecret, taskEvents}
}

func makeSchema(schema string) string { return "CREATE SCHEMA IF NOT EXISTS " + quote(schema) }

// quote is a name, or the dotted parts of one, as SQL has it.
func quote(parts ...string) string { return pgx.Identifier(parts).Sanitize() }
