package main

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// setUpTaskEvents is setUpOnce with task events, and returns what setup says.
func setUpTaskEvents(t *testing.T, db *cdctest.Database) string {
	t.Helper()
	out := must(t, proctest.Environ(db), "setup", "--task-events")
	proctest.Grant(t, db)
	return out
}

// tasksAt are the actions and tasks of the requests at the hook, in order.
func tasksAt(t *testing.T, requests []conformance.Request, hook int64) (got []string) {
	t.Helper()
	for _, r := range requests {
		if r.Hook != hook {
			continue
		}
		task := ""
		if r.Action != "ANNOTATIONS_DELETED" {
			task = " " + idOf(t, r.Body, "task")
		}
		got = append(got, r.Action+task)
	}
	return got
}

// TestTaskCompleted: the recorded calls that annotate a task and delete its annotation
// complete and reopen it. The events come after those of the annotation, by the same
// evidence, with the task as it is then; hooks that do not list them get what they got.
func TestTaskCompleted(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	setUpTaskEvents(t, db)
	list(t, db, 1, "TASK_COMPLETED", "TASK_REOPENED")
	p := startAs(t, db, []string{"run"}, "HOOKTAIL_SETTLE=20s")
	byBound := func() string {
		_, metrics := p.get(t, "/metrics")
		return regexp.MustCompile(`(?m)^hooktail_settled_total\{by="bound"\} .*$`).FindString(metrics)
	}
	label := func(id string, labeled bool) string {
		return `UPDATE task SET is_labeled = ` + strconv.FormatBool(labeled) + `, total_annotations = ` + map[bool]string{true: "1", false: "0"}[labeled] + ` WHERE id = ` + id
	}
	const stamp = `UPDATE task SET updated_at = clock_timestamp(), updated_by_id = 1 WHERE id = 7`
	left := db.QueryText(t, "SELECT count(*) FILTER (WHERE NOT is_labeled) FROM task WHERE project_id = 1 AND id <> 7")
	db.Exec(t, label("7", false))
	db.Exec(t, `DELETE FROM task_completion WHERE task_id = 7`)
	db.Exec(t, stamp)
	db.Exec(t, label("7", false))
	db.Exec(t, label("7", false))
	delivered(t, db)
	c.Take()
	before := byBound()

	annotation := db.QueryText(t, annotate, 7)
	db.Exec(t, label("7", true))
	db.Exec(t, stamp)
	delivered(t, db)
	requests := c.Take()
	if diff := cmp.Diff([]string{"ANNOTATION_CREATED 7", "TASK_COMPLETED 7"}, tasksAt(t, requests, 1)); diff != "" {
		t.Fatalf("after annotation %s (-want +got):\n%s", annotation, diff)
	}
	var body struct {
		Task struct {
			IsLabeled bool `json:"is_labeled"`
			UpdatedBy int  `json:"updated_by"`
		}
		Left    json.Number `json:"tasks_left"`
		Project struct {
			Tasks    int `json:"task_number"`
			Finished int `json:"finished_task_number"`
		}
	}
	for _, r := range requests {
		if r.Hook == 1 && r.Action == "TASK_COMPLETED" {
			unmarshalJSON(t, r.Body, &body)
		} else if r.Action == "TASK_COMPLETED" {
			t.Errorf("hook %d got an event that it does not list", r.Hook)
		}
	}
	if !body.Task.IsLabeled || body.Task.UpdatedBy != 1 || body.Left.String() != left || strconv.Itoa(body.Project.Tasks-body.Project.Finished) != left {
		t.Errorf("body %+v, want %s tasks left", body, left)
	}

	db.Exec(t, `DELETE FROM task_completion WHERE task_id = 7`)
	db.Exec(t, stamp)
	db.Exec(t, `UPDATE task SET total_annotations = 0 WHERE id = 7`)
	db.Exec(t, label("7", false))
	delivered(t, db)
	if diff := cmp.Diff([]string{"ANNOTATIONS_DELETED", "TASK_REOPENED 7"}, tasksAt(t, c.Take(), 1)); diff != "" {
		t.Errorf("after the deletion (-want +got):\n%s", diff)
	}
	if after := byBound(); after != before || before == "" {
		t.Errorf("events waited for the bound: %s before, %s after", before, after)
	}
}

// TestTaskEventsSetUp: setup says what they cost, teardown takes the identity back that
// setup has set, and leaves one alone that somebody else has set.
func TestTaskEventsSetUp(t *testing.T) {
	t.Parallel()
	server := cdctest.Postgres(t)
	for name, foreign := range map[string]bool{"ours": false, "somebody else's": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := server.LabelStudio(t)
			owner := proctest.Environ(db)
			if foreign {
				db.Exec(t, "ALTER TABLE task REPLICA IDENTITY FULL")
			}
			want := "also writes the old row to the WAL"
			if out := must(t, owner, "setup", "--task-events", "--print"); !strings.Contains(out, want) || !strings.Contains(out, `ALTER TABLE "public"."task" REPLICA IDENTITY FULL;`) {
				t.Errorf("--print says:\n%s", out)
			}
			if out := must(t, owner, "setup", "--task-events"); !strings.Contains(out, want) {
				t.Errorf("setup says:\n%s", out)
			}
			must(t, owner, "setup", "--task-events")
			if !strings.Contains(traces(t, db), "task full") {
				t.Error("the identity was not set")
			}
			must(t, owner, "teardown", "--yes")
			if left := strings.Contains(traces(t, db), "task full"); left != foreign {
				t.Errorf("after teardown the identity is full: %t, want %t", left, foreign)
			}
		})
	}
}
