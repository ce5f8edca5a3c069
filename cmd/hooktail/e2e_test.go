package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc/cdctest"
)

// annotate is an annotation of the task, as the application inserts it.
const annotate = `INSERT INTO task_completion (result, task_id, project_id, completed_by_id, updated_by_id, was_cancelled,
	ground_truth, created_at, updated_at, prediction, result_count, bulk_created)
	SELECT '[]', id, project_id, 1, 1, false, false, now(), now(), '{}', 0, false FROM task WHERE id = $1 RETURNING id`

// TestEveryCommittedChangeArrives: promise 1, on the way that nothing disturbs.
func TestEveryCommittedChangeArrives(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	start(t, db, "HOOKTAIL_SETTLE=0")
	want := map[string]bool{}
	for range 200 {
		want[db.QueryText(t, annotate, 7)] = true
	}
	delivered(t, db)
	got := map[string]bool{}
	for _, r := range c.Take() {
		if r.Hook == 1 && r.Action == "ANNOTATION_CREATED" {
			got[idOf(t, r.Body, "annotation")] = true
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("annotations that arrived at hook 1 (-want +got):\n%s", diff)
	}
}

// TestRolledBackNeverArrives: neither a transaction nor a savepoint that was
// rolled back makes an event.
func TestRolledBackNeverArrives(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	start(t, db, "HOOKTAIL_SETTLE=0")
	ctx := context.Background()
	conn := db.Connect(t)
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := conn.Exec(ctx, sql, args...); err != nil {
			t.Fatalf("run %q: %v", sql, err)
		}
	}
	exec("BEGIN")
	exec(annotate, 7)
	exec("ROLLBACK")
	exec("BEGIN")
	exec("SAVEPOINT s")
	exec(annotate, 8)
	exec("ROLLBACK TO s")
	exec(annotate, 9)
	exec("COMMIT")
	delivered(t, db)
	var tasks []string
	for _, r := range c.Take() {
		if r.Hook == 1 {
			tasks = append(tasks, r.Action+" "+idOf(t, r.Body, "task"))
		}
	}
	if diff := cmp.Diff([]string{"ANNOTATION_CREATED 9"}, tasks); diff != "" {
		t.Errorf("requests at hook 1 (-want +got):\n%s", diff)
	}
}

// TestHookCreatedBeforeTaskGetsIt: hooks are as of the event's commit, however
// short the time between: also under `run --setup`, which reads them under the
// snapshot of the slot that it makes, and which only the owner of the tables can run.
func TestHookCreatedBeforeTaskGetsIt(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(*testing.T, *cdctest.Database, ...string) *program{
		"run": start, "run --setup": startOwner,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testHookCreatedBeforeTask(t, begin)
		})
	}
}

func testHookCreatedBeforeTask(t *testing.T, begin func(*testing.T, *cdctest.Database, ...string) *program) {
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	begin(t, db, "HOOKTAIL_SETTLE=0")
	db.Exec(t, annotate, 7)
	db.Exec(t, `INSERT INTO webhook (id, url, organization_id, project_id, send_payload, send_for_all_actions, headers, is_active, created_at, updated_at)
		SELECT 77, replace(url, '/h/1', '/h/77'), 1, 1, true, true, '{}', true, now(), now() FROM webhook WHERE id = 1`)
	db.Exec(t, annotate, 8)
	db.Exec(t, "UPDATE webhook SET is_active = false WHERE id = 1")
	db.Exec(t, annotate, 9)
	delivered(t, db)
	got := map[int64][]string{}
	for _, r := range c.Take() {
		if r.Hook == 1 || r.Hook == 77 {
			got[r.Hook] = append(got[r.Hook], idOf(t, r.Body, "task"))
		}
	}
	slices.Sort(got[77]) // events of two tasks are in no order
	if diff := cmp.Diff([]string{"8", "9"}, got[77]); diff != "" {
		t.Errorf("tasks at the new hook (-want +got):\n%s", diff)
	}
	for _, task := range got[1] {
		if task == "9" {
			t.Error("the hook that was switched off got what came afterwards")
		}
	}
}

// TestTruncateOfHooks: an emptied table is a table without hooks, no fault.
func TestTruncateOfHooks(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	start(t, db, "HOOKTAIL_SETTLE=0")
	db.Exec(t, "TRUNCATE webhook, webhook_action")
	db.Exec(t, annotate, 7)
	delivered(t, db)
	if n := len(c.Take()); n > 0 {
		t.Errorf("%d requests to hooks that are gone", n)
	}
}

// TestMetricsMatchDeliveries: the counts are what the receiver counted.
func TestMetricsMatchDeliveries(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	p := start(t, db)
	db.Play(t, "01-project-create")
	db.Play(t, "02-project-update-title")
	db.Play(t, "07-task-create-post")
	db.Exec(t, annotate, 7)
	delivered(t, db)
	want := map[string]string{}
	for _, r := range c.Take() {
		key := fmt.Sprintf(`hooktail_deliveries_total{action="%s",hook="%d",outcome="delivered"}`, r.Action, r.Hook)
		n, _ := strconv.Atoi(want[key]) // "" is none yet
		want[key] = strconv.Itoa(n + 1)
	}
	got := map[string]string{}
	_, metrics := p.get(t, "/metrics")
	for line := range strings.Lines(metrics) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasPrefix(name, "hooktail_deliveries_total{") && value != "0" {
			got[name] = value
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counts (-receiver +metrics):\n%s", diff)
	}
	if len(want) == 0 {
		t.Error("nothing was delivered")
	}
}
