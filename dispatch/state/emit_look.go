package state

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/mapping"
)

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
