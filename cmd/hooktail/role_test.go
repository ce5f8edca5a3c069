package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestRoleIsHonoured: who logs in with a role that has no privilege but REPLICATION acts
// as the one that has them, by a parameter of the connection string or by a setting of
// the login role, with every connection: hooks are read, the slot is streamed from, and
// what cannot be delivered is parked.
func TestRoleIsHonoured(t *testing.T) {
	t.Parallel()
	server := cdctest.Private(t, throwaway.Options{}) // roles are the server's
	for name, test := range map[string]struct{ setting, parameter string }{
		"parameter": {"", "&role=hooktail"},
		"setting":   {"ALTER ROLE login_setting SET role = hooktail", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := server.LabelStudio(t)
			c := receive(t, db)
			setUpOnce(t, db)
			login := "login_" + name
			db.Exec(t, "CREATE ROLE "+login+" LOGIN REPLICATION NOINHERIT IN ROLE hooktail")
			if test.setting != "" {
				db.Exec(t, test.setting)
			}
			url := strings.Replace(db.DSN, "postgres@", login+"@", 1) + test.parameter
			startAs(t, db, []string{"run"}, "HOOKTAIL_SETTLE=0", "HOOKTAIL_DATABASE_URL="+url)
			db.Exec(t, annotate, 7)
			delivered(t, db)
			if got := annotationsOf(t, c.Take(), 1); len(got) != 1 {
				t.Errorf("annotations %v, want one", got)
			}
			_, _, stderr := command(proctest.RoleEnviron(db, "HOOKTAIL_DELIVER=adopted", "HOOKTAIL_ADOPT_OVERLAP=10m"), "hooks", "adopt", "1")
			if !strings.Contains(stderr, "may not see since when") || strings.Contains(stderr, "start it") {
				t.Errorf("adopt as the other role: %s", stderr)
			}
			if n := db.QueryText(t, `SELECT count(*) FILTER (WHERE usename = $1) || ' of ' || count(*) || ', streaming ' || count(*) FILTER (WHERE backend_type = 'walsender')
				FROM pg_stat_activity WHERE application_name = 'hooktail' AND datname = current_database()`, login); !strings.HasSuffix(n, ", streaming 1") || strings.HasPrefix(n, "0 ") {
				t.Errorf("sessions of the login role: %s", n)
			}
		})
	}
}

// TestLoginRoleWithoutReplication: what is said of it is that it may not stream, although
// it acts as a role that may.
func TestLoginRoleWithoutReplication(t *testing.T) {
	t.Parallel()
	db := cdctest.Private(t, throwaway.Options{}).LabelStudio(t)
	setUpOnce(t, db)
	db.Exec(t, "CREATE ROLE plain LOGIN IN ROLE hooktail")
	url := strings.Replace(db.DSN, "postgres@", "plain@", 1) + "&role=hooktail"
	code, _, stderr := command(proctest.RoleEnviron(db, "HOOKTAIL_DATABASE_URL="+url), "run")
	if want := `role "plain" may not stream`; code != exitFailed || !strings.Contains(stderr, want) {
		t.Errorf("exit code %d, want %q:\n%s", code, want, stderr)
	}
}

// TestRoleThatCannotBeTaken ends the start, with the roles' names.
func TestRoleThatCannotBeTaken(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	setUpOnce(t, db)
	for _, role := range []string{"no_such_role", "postgres"} {
		url := proctest.RoleDSN(db) + "&role=" + role
		code, _, stderr := command(proctest.RoleEnviron(db, "HOOKTAIL_DATABASE_URL="+url), "run")
		if want := fmt.Sprintf(`role "hooktail" may not act as role %q`, role); code != exitFailed || !strings.Contains(stderr, want) {
			t.Errorf("role %s: exit code %d, want %q:\n%s", role, code, want, stderr)
		}
	}
}
