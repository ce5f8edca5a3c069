package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/replay"
)

// TestBackfillObeysEgress: no more is allowed than to the stream, and it is not
// tried again.
func TestBackfillObeysEgress(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	setUpOnce(t, db)
	manyTasks(t, db, 3)
	code, _, stderr := command(proctest.RoleEnviron(db, "HOOKTAIL_EGRESS=public"), tasksTo8...)
	if n := len(c.Take()); code != exitFailed || n > 0 || !strings.Contains(stderr, "in 1 attempt: ") || !strings.Contains(stderr, "127.0.0.1") {
		t.Errorf("exit code %d, %d requests:\n%s", code, n, stderr)
	}
}

// faulty answers the n-th request as fault says, with 200 where it says 0.
type faulty struct {
	conformance.Collector
	n     atomic.Int64
	fault func(n int64) (status int)
}

func (f *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status := f.fault(f.n.Add(1)); status != 0 {
		w.WriteHeader(status)
		return
	}
	f.Collector.ServeHTTP(w, r)
}

// TestBackfillStopsForAHookThatIsSwitchedOff: it is read again with each batch, and in
// one that takes long.
func TestBackfillStopsForAHookThatIsSwitchedOff(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	setUpOnce(t, db)
	manyTasks(t, db, 2*replay.BackfillBatch)
	f := &faulty{fault: func(n int64) int {
		if n == 10 {
			db.Exec(t, "UPDATE webhook SET is_active = false WHERE id = 8")
		}
		return 0
	}}
	point(t, db, f)
	code, _, stderr := command(proctest.RoleEnviron(db), tasksTo8...)
	got := len(f.Take())
	if got < 10 || got > replay.BackfillBatch {
		t.Errorf("%d requests, want the 10 until it is switched off and at most the %d of the batch", got, replay.BackfillBatch)
	}
	if want := fmt.Sprintf("--after %d\n", 1000+got); code != exitFailed || !strings.HasSuffix(stderr, want) || !strings.Contains(stderr, "does not get TASK_CREATED") {
		t.Errorf("exit code %d, want %q:\n%s", code, want, stderr)
	}
}

func TestBackfillRefuses(t *testing.T) {
	t.Parallel()
	server := cdctest.Postgres(t)
	db, fresh := server.LabelStudio(t), server.LabelStudio(t)
	c := receive(t, db)
	setUpOnce(t, db)
	db.Exec(t, `UPDATE webhook SET headers = '["a list"]' WHERE id = 2`)
	db.Exec(t, `INSERT INTO hooktail.hook_setting (hook_id, paused) VALUES (6, true)`)
	db.Exec(t, `INSERT INTO hooktail.hook_setting (hook_id, suspended_at, suspended_lsn) VALUES (3, now(), '0/1')`)
	refused(t, "backfill", []refusal{
		{"before setup", fresh, "--hook 1 --project 1 --action TASK_CREATED", exitFailed, "hooktail setup"},
		{"nothing", db, "", exitUsage, "--hook ID --project ID --action ACTION"},
		{"no action", db, "--hook 1 --project 1", exitUsage, "--hook ID --project ID --action ACTION"},
		{"action of the past", db, "--hook 1 --project 1 --action PROJECT_UPDATED", exitUsage, "PROJECT_CREATED, TASK_CREATED, ANNOTATION_CREATED or TASKS_CREATED"},
		{"unknown action", db, "--hook 1 --project 1 --action TASK", exitUsage, "--action=TASK"},
		{"rate", db, "--hook 1 --project 1 --action TASK_CREATED --rate 100", exitUsage, "--rate=100"},
		{"since", db, "--hook 1 --project 1 --action TASK_CREATED --since yesterday", exitUsage, "--since=yesterday"},
		{"after", db, "--hook 1 --project 1 --action TASK_CREATED --after -1", exitUsage, "--after=-1"},
		{"argument", db, "--hook 1 --project 1 --action TASK_CREATED 7", exitUsage, `"7"`},
		{"unknown hook", db, "--hook 99 --project 1 --action TASK_CREATED", exitFailed, "there is no hook 99"},
		{"unknown project", db, "--hook 1 --project 99 --action TASK_CREATED", exitFailed, "there is no project 99"},
		{"another project", db, "--hook 1 --project 3 --action TASK_CREATED", exitFailed, "hook 1 does not get TASK_CREATED of project 3"},
		{"another organization", db, "--hook 10 --project 1 --action TASK_CREATED", exitFailed, "hook 10 does not get"},
		{"not chosen", db, "--hook 5 --project 1 --action TASK_CREATED", exitFailed, "hook 5 does not get"},
		{"switched off", db, "--hook 4 --project 1 --action TASK_CREATED", exitFailed, "hook 4 does not get"},
		{"of a project's hook", db, "--hook 1 --project 1 --action PROJECT_CREATED", exitFailed, "hook 1 does not get"},
		{"refused", db, "--hook 2 --project 1 --action TASK_CREATED", exitFailed, "JSON object"},
		{"paused", db, "--hook 6 --project 1 --action TASK_CREATED", exitFailed, "hooktail hooks resume 6"},
		{"suspended", db, "--hook 3 --project 1 --action TASK_CREATED", exitFailed, "hooktail hooks resume 3"},
	})
	if n := len(c.Take()); n > 0 {
		t.Errorf("%d requests", n)
	}
}
