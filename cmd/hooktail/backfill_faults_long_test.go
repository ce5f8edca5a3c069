//go:build long

package main

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/relay"
	"github.com/hooktail/hooktail/internal/replay"
)

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
