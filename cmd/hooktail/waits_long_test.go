//go:build long

package main

import (
	"slices"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
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
