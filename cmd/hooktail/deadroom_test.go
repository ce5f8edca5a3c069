package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

// TestDeadDeliveriesHaveRoomOfTheirOwn: the oldest dead deliveries of a hook go when they
// are too many, which is logged and counted; the hook gets what is new, and is not
// suspended.
func TestDeadDeliveriesHaveRoomOfTheirOwn(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	r := tenHooks(t, db)
	setUpOnce(t, db)
	const many = 4000
	db.Exec(t, `INSERT INTO hooktail.parked (hook_id, commit_lsn, ordinal, timeline, event_id, action, project_id, task_id, committed_at, body, bytes, added_at, state, dead_at)
		SELECT h, '0/1', n, 1, '', 'TASK_CREATED', 1, 1, now(), convert_to(repeat('x', 1000), 'UTF8'), 1000, now(), 'dead', now() - make_interval(secs => n)
		FROM generate_series(1, $1::int) n, unnest(ARRAY[1, 99]) h`, many)
	p := start(t, db, "HOOKTAIL_SETTLE=0", "HOOKTAIL_PARK_MAX_BYTES=1MiB")
	left := func(hook int) string {
		return db.QueryText(t, `SELECT count(*) || ' up to ' || max(ordinal) FROM hooktail.parked WHERE hook_id = $1 AND state = 'dead'`, hook)
	}
	const room = 1<<20 - (1<<20)/10
	want := fmt.Sprintf("%d up to %[1]d", room/1256)
	proctest.WaitFor(t, func() error {
		if one, gone := left(1), left(99); one != want || gone != want {
			return fmt.Errorf("left: %s, and %s of a hook that is gone; want %s", one, gone, want)
		}
		return nil
	})
	proctest.WaitFor(t, func() error {
		if n := strings.Count(p.err.String(), "the oldest were deleted"); n != 2 {
			return fmt.Errorf("%d lines in the log:\n%s", n, p.err)
		}
		if _, body := p.get(t, "/metrics"); !strings.Contains(body, fmt.Sprintf("\nhooktail_dead_dropped_total %d\n", 2*(many-room/1256))) {
			return fmt.Errorf("metrics:\n%s", body)
		}
		return nil
	})
	annotateMany(t, db, 3)
	r.Wait(t, path(1), 3)
	delivered(t, db)
}

// TestResumeHolds: the suspension of a hook ends for good when less is parked for it than
// may be, and stays, with what to do, while it is not.
func TestResumeHolds(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	r := tenHooks(t, db)
	setUpOnce(t, db)
	r.Script(path(1), dispatchtest.RetryAfter(503, "3600"))
	const bound = "HOOKTAIL_PARK_MAX_BYTES=1MiB"
	db.Exec(t, `INSERT INTO hooktail.parked (hook_id, commit_lsn, ordinal, timeline, event_id, action, project_id, task_id, committed_at, body, bytes, added_at)
		SELECT 1, '0/1', n, 1, '', 'TASK_CREATED', 1, 1, now(), convert_to(repeat('x', 1000), 'UTF8'), 1000, now() FROM generate_series(1, 2000) n`)
	start(t, db, "HOOKTAIL_SETTLE=0", bound)
	suspended := func() string {
		return db.QueryText(t, "SELECT count(*) FROM hooktail.hook_setting WHERE hook_id = 1 AND suspended_at IS NOT NULL")
	}
	proctest.WaitFor(t, func() error {
		annotateMany(t, db, 1)
		if suspended() != "1" {
			return fmt.Errorf("the hook is not suspended")
		}
		return nil
	})
	environ := proctest.RoleEnviron(db, bound)
	must(t, environ, "hooks", "pause", "1")
	code, stdout, stderr := command(environ, "hooks", "resume", "1", "2")
	if code != exitFailed || !strings.Contains(stderr, "hook 1 remains suspended: 2") || !strings.Contains(stderr, "HOOKTAIL_PARK_MAX_BYTES is 1 MB") || !strings.Contains(stdout, "hook 2 resumed") {
		t.Errorf("exit code %d:\n%s%s", code, stdout, stderr)
	}
	if db.QueryText(t, "SELECT paused::text FROM hooktail.hook_setting WHERE hook_id = 1") != "false" || suspended() != "1" {
		t.Error("the pause has not ended, or the suspension has")
	}
	must(t, environ, "deliveries", "discard", "--hook", "1", "--state", "parked")
	r.Script(path(1))
	must(t, environ, "hooks", "resume", "1") // at once: the program has not counted since
	proctest.WaitFor(t, func() error {
		before := len(r.Requests(path(1)))
		annotateMany(t, db, 1)
		proctest.Confirmed(t, db)
		if len(r.Requests(path(1))) == before {
			return fmt.Errorf("nothing arrives")
		}
		return nil
	})
	if suspended() != "0" {
		t.Error("the next event has suspended the hook again")
	}
}
