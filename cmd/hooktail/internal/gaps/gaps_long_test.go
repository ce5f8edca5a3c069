//go:build long

package gaps

import (
	"testing"

	"github.com/hooktail/hooktail/cdc/throwaway"
)

// TestNoOtherGapIsSilent is TestNoGapIsSilent with more ways to lose changes.
func TestNoOtherGapIsSilent(t *testing.T) {
	t.Parallel()
	notSilent(t, []fault{
		{name: "slot dropped", change: (*scene).dropSlot, why: "the slot was dropped"},
		{name: "slot dropped after kill -9", killed: true, change: (*scene).dropSlot, why: "the slot was dropped"},
		{
			name: "slot made anew", kept: true,
			change: func(s *scene) { s.dropSlot(); s.annotate(); s.createSlot() },
			why:    "the slot was moved or recreated by another program",
		},
		{
			// Where no other test makes a checkpoint: this one's is the proof.
			name: "slot advanced long after kill -9", killed: true, kept: true, server: &throwaway.Options{},
			change: func(s *scene) {
				s.db.Exec(s.t, "UPDATE hooktail.position SET written_at = now() - interval '1 hour'") // it was long ago
				s.annotate()
				s.db.Exec(s.t, "CHECKPOINT")
				s.advanceSlot()
			},
			why: "the slot was moved or recreated by another program",
		},
		{
			name:   "idle_replication_slot_timeout",
			server: &throwaway.Options{Major: "18", Settings: map[string]string{"idle_replication_slot_timeout": "1s"}},
			change: (*scene).idleOut, why: `the slot is lost \(idle_timeout\)`,
		},
		{
			name: "an older server", kept: true,
			change: func(s *scene) { s.db.Exec(t, "UPDATE hooktail.position SET timeline = 2"); s.annotate() },
			why:    "the database is an older state: it is on timeline 1, and was on 2",
		},
		{name: "publication dropped under it", running: true, change: (*scene).dropPublication, why: "the publication was dropped"},
		{
			name: "table taken out under it", running: true, kept: true,
			change: func(s *scene) { s.db.Exec(t, "ALTER PUBLICATION hooktail DROP TABLE task_completion") },
			why:    `table public\.task_completion was removed from the publication`,
		},
		{
			name: "another table under its name", running: true, kept: true,
			change: func(s *scene) {
				s.db.Exec(t, "BEGIN; ALTER TABLE task_completion RENAME TO before; CREATE TABLE task_completion (LIKE before INCLUDING ALL); "+
					"INSERT INTO task_completion SELECT * FROM before; SELECT setval(pg_get_serial_sequence('task_completion', 'id'), 1000000); GRANT SELECT ON task_completion TO hooktail; COMMIT")
			},
			why: `table public\.task_completion was removed from the publication`,
		},
		{
			name: "operation not published", kept: true,
			change: func(s *scene) {
				s.db.Exec(t, "ALTER PUBLICATION hooktail SET (publish = 'update, delete, truncate')")
				s.annotate()
			},
			why: `publication "hooktail" lacks operation insert`,
		},
		{
			name: "operation not published for a moment under it", running: true, kept: true,
			change: func(s *scene) { s.db.Exec(t, "ALTER PUBLICATION hooktail SET (publish = 'update, delete, truncate')") },
			after: func(s *scene) {
				s.db.Exec(t, "ALTER PUBLICATION hooktail SET (publish = 'insert, update, delete, truncate')")
			},
			why: `(the publication was altered and changed back|publication "hooktail" lacks operation insert)`,
		},
		{
			name: "schema taken out and put back", since: 15, kept: true, before: "CREATE PUBLICATION hooktail FOR TABLES IN SCHEMA public",
			change: func(s *scene) { s.db.Exec(t, "ALTER PUBLICATION hooktail DROP TABLES IN SCHEMA public") },
			after:  func(s *scene) { s.db.Exec(t, "ALTER PUBLICATION hooktail ADD TABLES IN SCHEMA public") },
			why:    `table public\.project was removed from the publication and added again`,
		},
		{
			name: "schema taken out and put back under it", since: 15, running: true, kept: true, before: "CREATE PUBLICATION hooktail FOR TABLES IN SCHEMA public",
			change: func(s *scene) { s.db.Exec(t, "ALTER PUBLICATION hooktail DROP TABLES IN SCHEMA public") },
			after:  func(s *scene) { s.db.Exec(t, "ALTER PUBLICATION hooktail ADD TABLES IN SCHEMA public") },
			why:    `table public\.project was removed from the publication( and added again)?`,
		},
		{
			name: "row filter under it", running: true, kept: true, since: 15,
			change: func(s *scene) {
				s.db.Exec(t, "ALTER PUBLICATION hooktail SET TABLE project, task, task_completion WHERE (was_cancelled), webhook, webhook_action, hooktail.hook_setting")
			},
			why: `table public\.task_completion got a row filter or a column list in the publication`,
		},
	})
}
