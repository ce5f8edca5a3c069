package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestBackfillObeysTheChoice: a backfill sends what the stream would have: not what the
// hook's filter leaves out, and nothing of an action that was removed. A dry run counts the
// same.
func TestBackfillObeysTheChoice(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	setUpOnce(t, db)
	db.Exec(t, `INSERT INTO hooktail.hook_setting (hook_id, events_removed, filter, format)
		VALUES (6, '{TASK_CREATED}', 'annotation.task == 7 && annotation.result.size() == 0', 'cloudevents')`)
	for _, task := range []int{7, 8, 7} {
		db.Exec(t, annotate, task)
	}
	rows, want := db.QueryText(t, "SELECT count(*) FROM task_completion a JOIN task t ON t.id = a.task_id WHERE t.project_id = 1"),
		db.QueryText(t, "SELECT count(*) FROM task_completion WHERE task_id = 7 AND jsonb_array_length(result::jsonb) = 0 AND NOT was_cancelled")
	for _, flags := range []string{"--dry-run --json", "--json"} {
		args := append(strings.Fields("backfill --hook 6 --project 1 --action ANNOTATION_CREATED"), strings.Fields(flags)...)
		var done struct{ Events, Passed, Filtered int }
		if out := must(t, proctest.RoleEnviron(db), args...); json.Unmarshal([]byte(out), &done) != nil || fmt.Sprint(done.Events) != want || fmt.Sprint(done.Events+done.Filtered) != rows {
			t.Errorf("backfill %s: %s, want %s events of %s rows", flags, out, want, rows)
		}
	}
	got := ofHook(c.Take(), 6)
	if fmt.Sprint(len(got)) != want {
		t.Errorf("the hook got %d events, want %s", len(got), want)
	}
	for _, r := range got {
		if r.Headers["ce-type"] != "io.labelstud.annotation.created" || r.Headers["ce-subject"] != "tasks/7" {
			t.Errorf("the hook got %s with %v", r.Body, r.Headers)
		}
	}
	if out := must(t, proctest.RoleEnviron(db), strings.Fields("backfill --hook 6 --project 1 --action ANNOTATION_CREATED --dry-run")...); !strings.Contains(out, "left out by its filter; ") {
		t.Errorf("backfill says %s", out)
	}
	if code, _, stderr := command(proctest.RoleEnviron(db), strings.Fields("backfill --hook 6 --project 1 --action TASK_CREATED")...); code == exitDone || !strings.Contains(stderr, "does not get TASK_CREATED") {
		t.Errorf("backfill of an action that was removed: exit code %d, %s", code, stderr)
	}
}
