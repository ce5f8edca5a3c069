package proctest

import (
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/deploy"
)

// RoleEnviron is Environ for the role with the least privileges, which Grant creates.
func RoleEnviron(db *cdctest.Database, variables ...string) []string {
	return Environ(db, append([]string{"HOOKTAIL_DATABASE_URL=" + RoleDSN(db)}, variables...)...)
}

// RoleDSN returns the database's DSN for that role.
func RoleDSN(db *cdctest.Database) string {
	return strings.Replace(db.DSN, "postgres@", "hooktail@", 1)
}

// Grant creates the role of deploy/role.sql and lets it use the database, which must be
// set up.
func Grant(t testing.TB, db *cdctest.Database) {
	t.Helper()
	db.Exec(t, deploy.Role())
}

// IsSetUp reports whether the slot named after the database exists and the role may use
// the database.
func IsSetUp(t testing.TB, db *cdctest.Database) bool {
	t.Helper()
	return db.QueryText(t, `SELECT bool_and(has_schema_privilege(r.oid, n.oid, 'USAGE')) FROM pg_roles r, pg_namespace n, pg_replication_slots s
		WHERE r.rolname = 'hooktail' AND n.nspname = 'hooktail' AND s.slot_name = $1`, db.Name) == "t"
}

// SetUp creates everything that hooktail needs, as in the README: `hooktail setup` as the
// owner of the tables, then the role. Existing things are kept.
func SetUp(t testing.TB, db *cdctest.Database, variables ...string) {
	t.Helper()
	if IsSetUp(t, db) {
		return
	}
	p := Start(t, Environ(db, variables...), "setup")
	if code := p.Wait(t); code != 0 {
		t.Fatalf("set up: exit code %d:\n%s", code, p.Stderr)
	}
	Grant(t, db)
}
