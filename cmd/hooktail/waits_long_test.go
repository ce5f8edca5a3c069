//go:build long

package main

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/relay"
)

// TestHalfOpenAtTheStart: an address that accepts connections and says nothing is
// noticed while probes are served.
func TestHalfOpenAtTheStart(t *testing.T) {
	t.Parallel()
	server := cdctest.Postgres(t)
	db := server.LabelStudio(t)
	setUpOnce(t, db)
	proxy := cdctest.NewProxy(t, "unix", server.Socket())
	proxy.Stall()
	through := url.URL{Scheme: "postgres", User: url.User("hooktail"), Host: proxy.Addr(), Path: "/" + db.Name, RawQuery: "sslmode=disable"}
	begun := time.Now()
	p := proctest.Start(t, proctest.RoleEnviron(db, "HOOKTAIL_DATABASE_URL="+through.String()), "run")
	opsBefore(t, p, "waiting for the database")
	t.Logf("noticed after %s", time.Since(begun).Round(100*time.Millisecond))
	proxy.Heal()
	proxy.Cut()
	p.Ready(t)
}

// TestEventsWaitForTheDatabase: whatever the application's tables are in the middle of,
// the program runs on, is not ready for the reason that it names, and delivers when it
// is over.
func TestEventsWaitForTheDatabase(t *testing.T) {
	t.Parallel()
	// What a payload can be built without, in an older Label Studio, need not be waited for.
	const dispensable = ""
	tests := []struct{ name, begin, end, says string }{
		{"column of the counts", "ALTER TABLE prediction RENAME project_id TO moved", "ALTER TABLE prediction RENAME moved TO project_id", dispensable},
		{"table of the counts", "ALTER TABLE prediction RENAME TO moved", "ALTER TABLE moved RENAME TO prediction", dispensable},
		{"table of the authors", "ALTER TABLE task_comment_authors RENAME TO moved", "ALTER TABLE moved RENAME TO task_comment_authors", dispensable},
		{"table of the tasks", "ALTER TABLE task RENAME TO moved", "ALTER TABLE moved RENAME TO task", "task"},
		{"schema", "ALTER SCHEMA public RENAME TO moved", "ALTER SCHEMA moved RENAME TO public", "read tasks and projects"},
		{"privilege", "REVOKE SELECT ON task FROM hooktail", "GRANT SELECT ON task TO hooktail", "permission denied for table task"},
		{"privilege on the schema", "REVOKE USAGE ON SCHEMA public FROM hooktail, PUBLIC", "GRANT USAGE ON SCHEMA public TO hooktail, PUBLIC", "schema public"},
		{"policy", "ALTER TABLE task ENABLE ROW LEVEL SECURITY", "ALTER TABLE task DISABLE ROW LEVEL SECURITY", "row-level security"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			db := cdctest.Postgres(t).LabelStudio(t)
			c := receive(t, db)
			setUpOnce(t, db)
			p := startTuned(t, relay.Tuning{DueLimit: 100 * time.Millisecond}, []string{"run"}, proctest.RoleEnviron(db, "HOOKTAIL_SETTLE=0"))
			db.Exec(t, annotate, 7)
			delivered(t, db) // what is asked of the catalog is known
			c.Take()
			db.Exec(t, "SET session_replication_role = replica; "+transactionOf(strings.Replace(annotate, "$1", "8", 1), test.begin))
			if test.says != dispensable {
				p.unready(t, test.says)
				p.unready(t, "no event has got through for")
			}
			db.Exec(t, test.end)
			delivered(t, db)
			if got := annotationsOf(t, c.Take(), 1); len(got) != 1 {
				t.Errorf("annotations %v, want one", got)
			}
			p.whenReadyAgain(t)
		})
	}
}
