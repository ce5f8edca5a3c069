package state

import (
	"context"
	_ "embed"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/mapping"
)

// Names in the schema that custom events need.
const (
	emitFunction = "emit"
	emitSecret   = "emit_secret" // table
	emitNumber   = "emit_number" // sequence
)

// emitArguments distinguish the function from others of that name.
const emitArguments = "(text, bigint, jsonb, bigint)"

// EmitPrefix returns the prefix of the messages that the function writes.
func EmitPrefix(schema string) string { return schema + ".emit" }

// emitSource is the function's body. Names in braces are replaced.
//
//go:embed emit.sql
var emitSource string

// EmitSources are the application's tables that the function reads.
type EmitSources struct{ Project, Task Table }

func (s EmitSources) body(schema string) string {
	var reserved []string
	for _, action := range mapping.Reserved() {
		reserved = append(reserved, literal(string(action)))
	}
	return strings.NewReplacer(
		"{name}", literal(schema+".emit"), "{reserved}", strings.Join(reserved, ", "),
		"{project}", s.Project.sql(), "{task}", s.Task.sql(),
		"{number}", literal(quote(schema, emitNumber)), "{secret}", quote(schema, emitSecret), "{prefix}", literal(EmitPrefix(schema)),
	).Replace(emitSource)
}

// secretColumns are the two keys of the messages' codes. Adding a column with random
// values rewrites the table, which logical decoding does not show; an INSERT of the keys
// would reach everyone who reads the changes of all tables.
const secretColumns = "ADD COLUMN IF NOT EXISTS inner_key bytea NOT NULL DEFAULT %[1]s, ADD COLUMN IF NOT EXISTS outer_key bytea NOT NULL DEFAULT %[1]s"

// random is an SQL expression for 64 bytes from 366 bits of the server's strong random
// source. Each half has as much entropy as SHA-256 can hold.
var random = func() string {
	const half = "pg_catalog.sha256(" +
		"pg_catalog.uuid_send(pg_catalog.gen_random_uuid()) || pg_catalog.uuid_send(pg_catalog.gen_random_uuid()) || pg_catalog.uuid_send(pg_catalog.gen_random_uuid()))"
	return "(" + half + " || " + half + ")"
}()

// EmitStatements returns the SQL that lets sessions emit custom events, in order, each
// with its semicolon: a secret, which is kept if it exists, and the function, which only
// its owner may call until it is granted to others.
func EmitStatements(schema string, sources EmitSources) []string {
	secret, function := quote(schema, emitSecret), quote(schema, emitFunction)
	return []string{
		"CREATE TABLE IF NOT EXISTS " + secret + " (id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1), made_at timestamptz NOT NULL DEFAULT now());",
		"REVOKE ALL ON " + secret + " FROM PUBLIC;",
		"DO $$ BEGIN IF NOT EXISTS (SELECT FROM " + secret + ") THEN ALTER TABLE " + secret + " DROP COLUMN IF EXISTS inner_key, DROP COLUMN IF EXISTS outer_key; " +
			"INSERT INTO " + secret + " (id) VALUES (1); END IF; END $$;",
		"ALTER TABLE " + secret + " " + fmt.Sprintf(secretColumns, random) + ";",
		"ALTER TABLE " + secret + " ALTER COLUMN inner_key DROP DEFAULT, ALTER COLUMN outer_key DROP DEFAULT;",
		"CREATE SEQUENCE IF NOT EXISTS " + quote(schema, emitNumber) + " OWNED BY " + secret + ".id;",
		"CREATE OR REPLACE FUNCTION " + function + "(action text, project bigint, payload jsonb, task bigint DEFAULT NULL) RETURNS void\n" +
			"LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp\n" +
			"AS $emit$\n" + sources.body(schema) + "$emit$;",
		"REVOKE ALL ON FUNCTION " + function + emitArguments + " FROM PUBLIC;",
		// The role that runs hooktail must read the secret.
		"DO $$ DECLARE r record; BEGIN FOR r IN SELECT DISTINCT g.grantee FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) g " +
			"WHERE c.oid = " + literal(quote(schema, "parked")) + "::pg_catalog.regclass AND g.grantee NOT IN (0, c.relowner) " +
			"LOOP EXECUTE pg_catalog.format('GRANT SELECT ON %s TO %s', " + literal(secret) + ", r.grantee::pg_catalog.regrole); END LOOP; END $$;",
	}
}

// SetUpEmit runs EmitStatements in one transaction, if anything is missing or of another
// version, and returns what it ran. conn must not be in a transaction.
func SetUpEmit(ctx context.Context, conn *pgx.Conn, schema string, sources EmitSources, log func(step string)) (ran []string, err error) {
	found, err := LookAtEmit(ctx, conn, schema, sources)
	if err != nil {
		return nil, err
	}
	if found.Complete() {
		if keys, err := EmitKeys(ctx, conn, schema); err != nil || keys != nil {
			return nil, err
		}
	}
	ran = EmitStatements(schema, sources)
	for _, statement := range ran {
		log(statement)
	}
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, statement := range ran {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
	return ran, wrap(err, "set custom events up")
}

// literal returns a string constant, for sessions with standard_conforming_strings.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
