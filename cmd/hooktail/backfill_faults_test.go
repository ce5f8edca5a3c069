package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/relay"
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

// TestBackfillGoesOn: where one ends for a fault or at a person's wish, the next one
// begins, and nothing is missing or sent twice.
func TestBackfillGoesOn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault func(n int64, interrupt func()) int
		says  string
		after string // "": it does not end early
	}{
		{"gone", func(n int64, _ func()) int {
			if n == 3 {
				return http.StatusGone
			}
			return 0
		}, "row 1003 (event backfill-task-1003-", "1002"},
		{"first", func(n int64, _ func()) int {
			if n == 1 {
				return http.StatusGone
			}
			return 0
		}, "in 1 attempt: the receiver answered 410; delivered before that: 0 events", "0"},
		{"for good", func(n int64, _ func()) int {
			if n >= 3 && n < 3+replay.BackfillAttempts {
				return http.StatusServiceUnavailable
			}
			return 0
		}, "in 5 attempts: the receiver answered 503; delivered before that: 2 events", "1002"},
		{"for a while", func(n int64, _ func()) int {
			if n == 3 || n == 4 {
				return http.StatusInternalServerError
			}
			return 0
		}, "", ""},
		{"interrupted", func(n int64, interrupt func()) int {
			if n == 4 {
				interrupt()
			}
			return 0
		}, "interrupted; delivered before that: 4 events", "1004"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			db := cdctest.Postgres(t).LabelStudio(t)
			setUpOnce(t, db)
			manyTasks(t, db, 7)
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			f := &faulty{fault: func(n int64) int { return tt.fault(n, interrupt) }}
			point(t, db, f)
			stdout, stderr := proctest.NewOutput(), proctest.NewOutput()
			a := &app{stdout: stdout, stderr: stderr, environ: proctest.RoleEnviron(db), Tuning: relay.Tuning{Guest: true}}
			code := a.execute(ctx, append(slices.Clone(tasksTo8), "--since", "1h"))
			if tt.after == "" {
				if code != exitDone || stderr.String() != "" {
					t.Errorf("exit code %d:\n%s", code, stderr)
				}
			} else {
				if code != exitFailed || !strings.Contains(stderr.String(), tt.says) || !strings.HasSuffix(stderr.String(), "--after "+tt.after+"\n") {
					t.Errorf("exit code %d, want %d, %q and --after %s:\n%s", code, exitFailed, tt.says, tt.after, stderr)
				}
				_, rest, _ := strings.Cut(stderr.String(), "continue with ")
				if strings.Contains(rest, "1h") || !strings.HasPrefix(rest, "--since ") {
					t.Errorf("what is left moves with the time: %s", rest)
				}
				must(t, proctest.RoleEnviron(db), append(slices.Clone(tasksTo8), strings.Fields(rest)...)...)
			}
			if diff := cmp.Diff(numbers(1001, 1007), tasksOf(t, f.Take())); diff != "" {
				t.Errorf("tasks (-want +got):\n%s", diff)
			}
		})
	}
}

// TestBackfillStopsForAHookThatIsSwitchedOff: it is read again with each batch.
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
	if want := fmt.Sprintf("--after %d\n", 1000+replay.BackfillBatch); code != exitFailed || !strings.HasSuffix(stderr, want) || !strings.Contains(stderr, "does not get TASK_CREATED") {
		t.Errorf("exit code %d, want %q:\n%s", code, want, stderr)
	}
	if got := len(f.Take()); got != replay.BackfillBatch {
		t.Errorf("%d requests, want %d", got, replay.BackfillBatch)
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
		{"action of the past", db, "--hook 1 --project 1 --action PROJECT_UPDATED", exitUsage, "PROJECT_CREATED TASK_CREATED ANNOTATION_CREATED"},
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
