//go:build long

package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestHooksOfAnyKind: whatever has been done to the rows and the tables of the hooks, while
// hooktail runs and while it does not, a good hook gets what is committed after it, and one
// that was mended too.
func TestHooksOfAnyKind(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		before []string // hooktail has been set up
		bad    []string
		mended []string
	}{
		{
			"a date without end, mended",
			nil,
			[]string{"UPDATE webhook SET created_at = 'infinity'", "UPDATE webhook SET created_at = '-infinity', url = 'ftp://x/'"},
			[]string{"UPDATE webhook SET created_at = '0044-03-15 BC', url = GOOD"},
		},
		{
			"bad rows, deleted",
			nil,
			[]string{
				"ALTER TABLE webhook ALTER COLUMN send_payload DROP NOT NULL",
				"INSERT INTO webhook SELECT 77, url, NULL, send_for_all_actions, '[]', is_active, 'infinity', updated_at, organization_id, project_id FROM webhook WHERE id = 1",
			},
			[]string{"DELETE FROM webhook WHERE id = 77"},
		},
		{
			"a long url that the stream leaves out",
			[]string{"UPDATE webhook SET url = " + longURL + ", headers = jsonb_build_object('X-Long', repeat(md5('1'), 60)) WHERE id = 1"},
			[]string{"UPDATE webhook SET updated_at = now()"},
			nil,
		},
		{
			"a hook with a long url, deleted",
			[]string{"UPDATE webhook SET url = " + longURL + " WHERE id = 2", "DELETE FROM webhook_action WHERE webhook_id = 2"},
			[]string{"UPDATE webhook SET is_active = NOT is_active WHERE id = 2", "DELETE FROM webhook WHERE id = 2"},
			nil,
		},
		{
			"a column renamed for a while",
			nil,
			[]string{"ALTER TABLE webhook RENAME COLUMN url TO link", "UPDATE webhook SET updated_at = now()"},
			[]string{"ALTER TABLE webhook RENAME COLUMN link TO url"},
		},
		{
			"a column that was not there for a while",
			nil,
			[]string{"ALTER TABLE webhook_action RENAME COLUMN action TO act", "UPDATE webhook_action SET act = act"},
			[]string{"ALTER TABLE webhook_action RENAME COLUMN act TO action"},
		},
		{
			"settings forgotten",
			[]string{"UPDATE webhook SET send_for_all_actions = false WHERE id = 1", "DELETE FROM webhook_action", "INSERT INTO webhook_action (webhook_id, action) VALUES (1, 'ANNOTATION_CREATED')"},
			[]string{"TRUNCATE hooktail.hook_setting"},
			nil,
		},
		{
			"another key",
			nil,
			[]string{"DELETE FROM webhook_action", "UPDATE webhook SET id = 1000 + id WHERE id > 1"},
			nil,
		},
		{
			"keys of other types",
			nil,
			[]string{
				"DELETE FROM webhook_action",
				"ALTER TABLE webhook_action DROP CONSTRAINT webhook_action_webhook_id_4eb6213f_fk_webhook_id",
				"ALTER TABLE webhook_action ALTER COLUMN webhook_id TYPE text",
				"INSERT INTO webhook_action (webhook_id, action) VALUES ('one', 'TASK_CREATED'), ('1', repeat('x', 100))",
				"ALTER TABLE webhook ALTER COLUMN created_at TYPE text, ALTER COLUMN headers TYPE text",
				"UPDATE webhook SET created_at = 'yesterday', headers = 'none' WHERE id = 2",
			},
			nil,
		},
	} {
		for _, running := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, running: %t", tt.name, running), func(t *testing.T) {
				t.Parallel()
				db := cdctest.Postgres(t).LabelStudio(t)
				c := &conformance.Collector{}
				good := "'http://" + point(t, db, c) + "/h/' || id"
				do := func(statements []string) {
					for _, sql := range statements {
						db.Exec(t, strings.ReplaceAll(sql, "GOOD", good))
					}
				}
				if !running { // the slot is younger than the rows
					do(tt.before)
				}
				setUpOnce(t, db)
				if running {
					do(tt.before)
				}
				var p *program
				if running {
					p = start(t, db, "HOOKTAIL_SETTLE=0")
					db.Exec(t, annotate, 7)
					delivered(t, db)
				}
				do(tt.bad)
				do(tt.mended)
				if !running {
					p = start(t, db, "HOOKTAIL_SETTLE=0")
				}
				want := db.QueryText(t, annotate, 7)
				var got []string
				proctest.WaitFor(t, func() error {
					select {
					case <-p.ended:
						t.Fatalf("hooktail has ended with exit code %d:\n%s", p.code, endOf(p.err.String()))
					default:
					}
					for _, annotation := range annotationsOf(t, c.Take(), 1) {
						if got = append(got, annotation); annotation == want {
							return nil
						}
					}
					return fmt.Errorf("annotations %v at hook 1, want %s:\n%s", got, want, endOf(p.err.String()))
				})
			})
		}
	}
}
