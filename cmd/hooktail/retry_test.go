package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

// TestRetryOfAHookThatIsNotServed: a hook to which nothing is sent now is not reported as
// retrying now.
func TestRetryOfAHookThatIsNotServed(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	tenHooks(t, db)
	setUpOnce(t, db)
	environ := proctest.Environ(db)
	must(t, environ, "hooks", "pause", "2")
	db.Exec(t, "UPDATE webhook SET is_active = id <> 3")
	want := "hook 1 retries its deliveries now\n" +
		"hook 2 is paused: it retries its deliveries when it is resumed\n" +
		"hook 3 is inactive: it retries its deliveries when it is switched on\n"
	if got := must(t, environ, "hooks", "retry", "1", "2", "3"); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// TestCommandsActAtOnce: a hook that waits for an hour, as its receiver asked, is tried as
// soon as somebody asks for it, in each way in which they may.
func TestCommandsActAtOnce(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	r := tenHooks(t, db)
	start(t, db, "HOOKTAIL_SETTLE=0")
	environ := proctest.RoleEnviron(db)
	for _, args := range []string{"hooks retry 1", "hooks ping 1", "hooks resume 1", "deliveries redrive --hook 1"} {
		r.Script(path(1), dispatchtest.RetryAfter(http.StatusServiceUnavailable, "3600"))
		before := len(r.Requests(path(1)))
		annotateMany(t, db, 1)
		r.Wait(t, path(1), before+1)
		proctest.WaitFor(t, func() error {
			if n := parkedRows(t, db, "parked"); n != "1" {
				return fmt.Errorf("%s deliveries are parked", n)
			}
			return nil
		})
		if strings.Contains(args, "redrive") { // one that died before
			db.Exec(t, `INSERT INTO hooktail.parked (hook_id, commit_lsn, ordinal, timeline, event_id, action, project_id, task_id, committed_at, body, bytes, added_at, state, dead_at)
				VALUES (1, '0/1', 1, 1, '', 'TASK_CREATED', 1, 1, now(), '{}', 2, now(), 'dead', now())`)
		}
		r.Script(path(1))
		must(t, environ, strings.Fields(args)...)
		proctest.WaitFor(t, func() error {
			if n := parkedRows(t, db, "parked"); n != "0" {
				return fmt.Errorf("%s: %s deliveries are parked", args, n)
			}
			return nil
		})
	}
	if code, _, stderr := command(environ, "hooks", "retry", "99"); code != exitFailed || !strings.Contains(stderr, "there is no hook 99") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
