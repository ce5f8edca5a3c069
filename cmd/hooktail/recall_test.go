package main

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestHooksAreMatchedAsOfTheCommit: also by a hooktail that was not there when its hooks were
// changed, and finds them as they are now; also if a repair is all that there was before.
func TestHooksAreMatchedAsOfTheCommit(t *testing.T) {
	t.Parallel()
	const another = `INSERT INTO webhook (id, url, organization_id, project_id, send_payload, send_for_all_actions, headers, is_active, created_at, updated_at)
		SELECT 100, replace(url, '/h/1', '/h/100'), organization_id, project_id, true, true, '{}', true, '2020-01-01', now() FROM webhook WHERE id = 1`
	for _, tt := range []struct {
		name    string
		deliver string
		before  []string // what is done while it runs
		during  string   // and while it does not, between two annotations
		hook    int64
		want    []int // which of the two annotations the hook gets
	}{
		{"actions taken away", "both", []string{"DELETE FROM webhook_action", "UPDATE webhook SET send_for_all_actions = false WHERE id = 1", "INSERT INTO webhook_action (webhook_id, action) VALUES (1, 'ANNOTATION_CREATED')"}, "DELETE FROM webhook_action", 1, []int{0}},
		{"an action chosen", "both", []string{"UPDATE webhook SET send_for_all_actions = false WHERE id = 1"}, "INSERT INTO webhook_action (webhook_id, action) VALUES (1, 'ANNOTATION_CREATED')", 1, []int{1}},
		{"another project", "both", nil, "UPDATE webhook SET project_id = 2 WHERE id = 1", 1, []int{0}},
		{"released", "adopted", []string{"adopt"}, "release", 1, []int{0}},
		{"switched on", "both", []string{"UPDATE webhook SET is_active = false WHERE id = 1"}, "UPDATE webhook SET is_active = true WHERE id = 1", 1, []int{1}},
		{"made", "both", nil, another, 100, []int{1}},
		{"made long ago, by its own clock", "both", []string{another}, "UPDATE webhook SET created_at = now() + interval '1 day' WHERE id = 100", 100, []int{0, 1}},
	} {
		for _, repaired := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, repaired: %t", tt.name, repaired), func(t *testing.T) {
				t.Parallel()
				db := cdctest.Postgres(t).LabelStudio(t)
				c := receive(t, db)
				variables := []string{"HOOKTAIL_SETTLE=0", "HOOKTAIL_DELIVER=" + tt.deliver}
				do := func(what string) {
					t.Helper()
					switch what {
					case "adopt", "release":
						args := []string{"hooks", what, "1"}
						if what == "adopt" {
							args = append(args, "--force")
						}
						must(t, proctest.RoleEnviron(db, variables...), args...)
					default:
						db.Exec(t, what)
					}
				}
				p := start(t, db, variables...)
				for _, what := range tt.before {
					do(what)
				}
				delivered(t, db)
				p.end(t)
				c.Take()
				if repaired {
					db.Exec(t, "SELECT pg_drop_replication_slot($1)", db.Name)
					must(t, proctest.Environ(db, variables...), "repair")
				}
				annotations := []string{db.QueryText(t, annotate, 7)}
				do(tt.during)
				annotations = append(annotations, db.QueryText(t, annotate, 7))
				start(t, db, variables...)
				delivered(t, db)
				got := []int{}
				for _, annotation := range annotationsOf(t, c.Take(), tt.hook) {
					got = append(got, slices.Index(annotations, annotation))
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("annotations at hook %d (-want +got):\n%s", tt.hook, diff)
				}
			})
		}
	}
}

// TestWhatHooksWantIsWrittenSeldom: what an application counts in the rows of its hooks costs
// hooktail no write, and what was written is removed when nothing asks for it any more.
func TestWhatHooksWantIsWrittenSeldom(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	receive(t, db)
	db.Exec(t, "ALTER TABLE webhook ADD COLUMN consecutive_failures integer")
	p := start(t, db)
	rows := func() string {
		return db.QueryText(t, "SELECT string_agg(xmin::text, ' ' ORDER BY hook_id, lsn) FROM hooktail.hook_seen")
	}
	before := rows()
	for range 20 {
		db.Exec(t, "UPDATE webhook SET consecutive_failures = coalesce(consecutive_failures, 0) + 1, updated_at = now()")
	}
	delivered(t, db)
	if after := rows(); after != before {
		t.Errorf("the rows were written again: %s, before %s", after, before)
	}
	for range 5 {
		db.Exec(t, "UPDATE webhook SET send_payload = NOT send_payload WHERE id = 1")
		delivered(t, db)
		p.end(t) // which records the position
		p = start(t, db)
	}
	if got := db.QueryText(t, "SELECT count(*) FROM hooktail.hook_seen WHERE hook_id = 1"); got != "1" && got != "2" {
		t.Errorf("%s rows of hook 1 are kept", got)
	}
}
