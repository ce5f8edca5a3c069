//go:build long

package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestTableRenamedAtReconnect: a table that has another name while a connection is made
// anew, of the stream alone or of a whole term, is waited for, with the reason: it is the
// middle of a migration. What was committed meanwhile is delivered.
func TestTableRenamedAtReconnect(t *testing.T) {
	t.Parallel()
	for name, sessions := range map[string]string{"stream": "backend_type = 'walsender'", "term": "true"} {
		for _, table := range []string{"task", "webhook"} {
			t.Run(name+" and "+table, func(t *testing.T) {
				t.Parallel()
				db := cdctest.Postgres(t).LabelStudio(t)
				c := receive(t, db)
				p := start(t, db, "HOOKTAIL_SETTLE=0")
				db.Exec(t, annotate, 7)
				delivered(t, db)
				c.Take()
				db.Exec(t, "ALTER TABLE "+table+" RENAME TO moved")
				db.Exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hooktail' AND datname = current_database() AND "+sessions)
				p.unready(t, table)
				db.Exec(t, "UPDATE task_completion SET updated_at = now() WHERE id = 12")
				p.unready(t, table)
				db.Exec(t, "ALTER TABLE moved RENAME TO "+table)
				delivered(t, db)
				got := slices.DeleteFunc(c.Take(), func(r conformance.Request) bool { return r.Hook != 1 })
				if len(got) != 1 || got[0].Action != "ANNOTATION_UPDATED" {
					t.Errorf("hook 1 got %v, want one annotation updated", got)
				}
				p.whenReadyAgain(t)
			})
		}
	}
}

// TestDatabaseAwayAtTheStart: a server that is not there yet is waited for, and what
// was committed before is delivered.
func TestDatabaseAwayAtTheStart(t *testing.T) {
	t.Parallel()
	server := cdctest.Private(t, throwaway.Options{})
	db := server.LabelStudio(t)
	c := receive(t, db)
	setUpOnce(t, db)
	db.Exec(t, annotate, 7)
	if err := server.Stop(throwaway.Fast); err != nil {
		t.Fatal(err)
	}
	p := proctest.Start(t, proctest.RoleEnviron(db), "run")
	opsBefore(t, p, "waiting for the database")
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.Ready(t)
	delivered(t, db)
	if got := annotationsOf(t, c.Take(), 1); len(got) != 1 {
		t.Errorf("annotations %v, want one", got)
	}
}

// opsBefore waits until the program serves probes, which it does although it cannot
// reach the database, and says why it is not ready.
func opsBefore(t *testing.T, p *proctest.Program, words string) {
	t.Helper()
	p.Ops = p.Stderr.Find(t, `msg="Cannot ask the database for the lock: trying again".* ops=(\S+)`, p.Ended())
	proctest.WaitFor(t, func() error {
		status, body := p.Get(t, "/readyz")
		if status != http.StatusServiceUnavailable || !strings.Contains(body, words) {
			return fmt.Errorf("/readyz = %d %q, want %q", status, body, words)
		}
		if status, _ := p.Get(t, "/livez"); status != http.StatusOK {
			return fmt.Errorf("/livez = %d", status)
		}
		return nil
	})
}
