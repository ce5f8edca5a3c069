package state

import (
	"context"
	_ "embed"
	"errors"
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
const (
	random = "(" + half + " || " + half + ")"
	half   = "pg_catalog.sha256(" + uuid + " || " + uuid + " || " + uuid + ")"
	uuid   = "pg_catalog.uuid_send(pg_catalog.gen_random_uuid())"
)

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

// Emit is the state of custom events in a database.
type Emit struct {
	Function bool // a function with that name and those arguments exists
	Same     bool // its text and properties are those of this program
	Secret   bool // the table of keys exists
	Public   bool // everyone may call it
	Split    bool // function and secret have different owners
	Foreign  bool // either belongs to a role of which this role is not a member
	Readable bool // this role may read the secret
	// Readers are other roles that may read the secret by a grant, except those that may
	// park deliveries and so can send anything.
	Readers []string
}

// Exists reports whether custom events have been set up.
func (e Emit) Exists() bool { return e.Function || e.Secret }

// Complete reports whether SetUpEmit has nothing to do.
func (e Emit) Complete() bool { return e.Same && e.Secret && !e.Public && !e.Split }

// lookSQL has the parameters schema, source of the function, and names of function and
// secret.
const lookSQL = `WITH function AS (
		SELECT p.* FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
		WHERE n.nspname = $1 AND p.proname = $3 AND p.proargtypes::text = (
			SELECT pg_catalog.string_agg(t::pg_catalog.regtype::oid::text, ' ' ORDER BY at) FROM unnest(ARRAY['text', 'bigint', 'jsonb', 'bigint']) WITH ORDINALITY AS a (t, at))),
	secret AS (
		SELECT c.* FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = $4 AND c.relkind = 'r')
	SELECT f.oid IS NOT NULL,
		coalesce(f.prosrc = $2 AND f.prosecdef AND f.proconfig = ARRAY['search_path=pg_catalog, pg_temp'] AND f.provolatile = 'v', false),
		s.oid IS NOT NULL,
		coalesce((SELECT bool_or(a.grantee = 0) FROM pg_catalog.aclexplode(coalesce(f.proacl, pg_catalog.acldefault('f', f.proowner))) a WHERE f.oid IS NOT NULL), false),
		coalesce(f.proowner <> s.relowner, false),
		coalesce(NOT pg_catalog.pg_has_role(f.proowner, 'USAGE'), false) OR coalesce(NOT pg_catalog.pg_has_role(s.relowner, 'USAGE'), false),
		coalesce(pg_catalog.has_table_privilege(s.oid, 'SELECT'), false),
		ARRAY(SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::pg_catalog.regrole::text END
			FROM pg_catalog.aclexplode(s.relacl) a WHERE a.privilege_type = 'SELECT' AND a.grantee <> s.relowner AND a.grantee <> (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)
				AND NOT coalesce(pg_catalog.has_table_privilege(a.grantee, pg_catalog.to_regclass($5)::oid, 'INSERT'), false)
			ORDER BY 1)
	FROM (SELECT) one LEFT JOIN function f ON true LEFT JOIN secret s ON true`

// LookAtEmit examines the function and its secret. It changes nothing.
func LookAtEmit(ctx context.Context, q Querier, schema string, sources EmitSources) (e Emit, err error) {
	err = q.QueryRow(ctx, lookSQL, schema, "\n"+sources.body(schema), emitFunction, emitSecret, quote(schema, "parked")).
		Scan(&e.Function, &e.Same, &e.Secret, &e.Public, &e.Split, &e.Foreign, &e.Readable, &e.Readers)
	return e, wrap(err, "look at the function "+schema+".emit")
}

// EmitLacks returns what the role lacks to set up custom events, and the SQL that grants
// it; "" if nothing.
func EmitLacks(ctx context.Context, q Querier, sources EmitSources) (what, mend string, err error) {
	var role string
	var project, task, control bool
	err = q.QueryRow(ctx, `SELECT current_user, pg_catalog.has_table_privilege($1, 'SELECT'), pg_catalog.has_table_privilege($2, 'SELECT'),
		pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')`,
		sources.Project.sql(), sources.Task.sql()).Scan(&role, &project, &task, &control)
	switch {
	case err != nil:
		return "", "", wrap(err, "look for the privileges of custom events")
	case !project:
		return fmt.Sprintf("role %q may not read table %s", role, sources.Project.sql()), fmt.Sprintf("GRANT SELECT ON %s TO %s;", sources.Project.sql(), quote(role)), nil
	case !task:
		return fmt.Sprintf("role %q may not read table %s", role, sources.Task.sql()), fmt.Sprintf("GRANT SELECT ON %s TO %s;", sources.Task.sql(), quote(role)), nil
	case !control:
		return fmt.Sprintf("role %q may not call pg_control_system()", role), "GRANT EXECUTE ON FUNCTION pg_catalog.pg_control_system() TO " + quote(role) + ";", nil
	}
	return "", "", nil
}

// EmitKeys returns the keys that prove the messages of custom events; nil if they are not
// set up.
func EmitKeys(ctx context.Context, q Querier, schema string) (*mapping.Keys, error) {
	var k mapping.Keys
	err := q.QueryRow(ctx, `SELECT s.inner_key, s.outer_key, c.system_identifier::text, pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint
		FROM `+quote(schema, emitSecret)+` s, pg_catalog.pg_control_system() c`).Scan(&k.Inner, &k.Outer, &k.System, &k.XID)
	switch code := sqlState(err); {
	case errors.Is(err, pgx.ErrNoRows), code == undefinedTable, code == undefinedColumn: // missing, or being created
		return nil, nil
	case err != nil:
		return nil, wrap(err, "read the secret of custom events")
	}
	return &k, nil
}

// callersSQL finds what would fail without the function: objects that depend on it
// according to the catalog, functions whose text contains its name with the schema, and
// their triggers.
const callersSQL = `WITH function AS (
		SELECT p.oid FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = $1 AND p.proname = $2),
	dependent AS (
		SELECT d.classid, d.objid, d.objsubid FROM pg_catalog.pg_depend d JOIN function f ON d.refobjid = f.oid
		WHERE d.refclassid = 'pg_catalog.pg_proc'::regclass AND d.deptype <> 'i'
		UNION
		SELECT 'pg_catalog.pg_proc'::regclass, p.oid, 0 FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
		WHERE l.lanname NOT IN ('internal', 'c') AND p.oid NOT IN (SELECT oid FROM function) AND p.prosrc ~* ('\m' || $2 || '\M"?\s*\(')
			AND EXISTS (SELECT FROM unnest(ARRAY[$1, replace($1, '"', '""')]) name
				WHERE strpos(lower(p.prosrc), lower(name)) > 0 OR strpos(lower(array_to_string(p.proconfig, ' ')), lower(name)) > 0 OR EXISTS (
					SELECT FROM pg_catalog.pg_db_role_setting r, unnest(r.setconfig) s WHERE s LIKE 'search_path=%' AND strpos(lower(s), lower(name)) > 0)))
	SELECT pg_catalog.pg_describe_object(classid, objid, objsubid) AS what FROM dependent
	UNION
	SELECT pg_catalog.pg_describe_object('pg_catalog.pg_trigger'::regclass, t.oid, 0) FROM pg_catalog.pg_trigger t JOIN dependent d ON d.objid = t.tgfoid
		WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND NOT t.tgisinternal
	UNION
	SELECT pg_catalog.pg_describe_object('pg_catalog.pg_event_trigger'::regclass, t.oid, 0) FROM pg_catalog.pg_event_trigger t JOIN dependent d ON d.objid = t.evtfoid
		WHERE d.classid = 'pg_catalog.pg_proc'::regclass
	ORDER BY what`

// EmitCallers returns descriptions of the objects that call the function and would fail
// without it. It does not know statements sent by programs or schedulers.
func EmitCallers(ctx context.Context, q Querier, schema string) ([]string, error) {
	callers, err := collect(ctx, q, pgx.RowTo[string], callersSQL, schema, emitFunction)
	return callers, wrap(err, "look for callers of the function "+schema+".emit")
}
