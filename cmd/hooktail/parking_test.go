package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/internal/relay"
)

// annotateMany makes that many annotations, one after the other, of tasks 7, 8
// and 9 in turn.
func annotateMany(t *testing.T, db *cdctest.Database, n int) {
	t.Helper()
	for i := range n {
		db.Exec(t, annotate, 7+i%3)
	}
}

// inOrderPerTask asserts that every annotation of the database was accepted at
// the path, and those of one task in the order in which they were made.
func inOrderPerTask(t *testing.T, db *cdctest.Database, r *dispatchtest.Server, path, from string) {
	t.Helper()
	var got []string
	task := map[string]string{}
	for _, request := range r.Requests(path) {
		if request.Status/100 != 2 {
			continue
		}
		id := idOf(t, request.Body, "annotation")
		if !slices.Contains(got, id) {
			got = append(got, id)
		}
		task[id] = idOf(t, request.Body, "task")
	}
	for _, of := range []string{"7", "8", "9"} {
		want := db.QueryText(t, "SELECT coalesce(array_agg(id ORDER BY id)::text, '{}') FROM task_completion WHERE task_id = $1 AND id > $2", of, from)
		var ids []string
		for _, id := range got {
			if task[id] == of {
				ids = append(ids, id)
			}
		}
		if list := "{" + strings.Join(ids, ",") + "}"; list != want {
			t.Errorf("%s: annotations of task %s\n got %s\nwant %s", path, of, list, want)
		}
	}
}

// lastAnnotation is the greatest id so far.
func lastAnnotation(t *testing.T, db *cdctest.Database) string {
	t.Helper()
	return db.QueryText(t, "SELECT coalesce(max(id), 0)::text FROM task_completion")
}

// TestDeadHookDelaysOnlyItself: of ten hooks one hangs and one answers 500; the
// others notice nothing, the slot moves on, and once they are well the two get
// everything in order.
func TestDeadHookDelaysOnlyItself(t *testing.T) {
	t.Parallel()
	delaysOnlyItself(t, 20, 100)
}

// delaysOnlyItself measures how late so many events are, after others to warm up.
func delaysOnlyItself(t *testing.T, warm, measured int) {
	t.Helper()
	db := cdctest.Postgres(t).LabelStudio(t)
	r := tenHooks(t, db)
	from := lastAnnotation(t, db)
	r.Script(path(1), dispatchtest.Hang())
	r.Script(path(2), dispatchtest.Status(500))
	p := start(t, db, "HOOKTAIL_SETTLE=0", "HOOKTAIL_TIMEOUT=1s")
	const ahead = 10
	annotateMany(t, db, warm)
	proctest.Confirmed(t, db)

	begun := len(r.Requests(path(3)))
	var sent []time.Time
	for i := range measured {
		// Not faster than a healthy hook takes them on a busy machine: it is not its queue
		// that is measured.
		r.Wait(t, path(3), max(0, begun+i-ahead))
		annotateMany(t, db, 1)
		sent = append(sent, time.Now())
	}
	arrived := r.Wait(t, path(3), begun+measured)[begun:]
	var late []time.Duration
	for i, request := range arrived {
		late = append(late, request.Arrived.Sub(sent[i]))
	}
	slices.Sort(late)
	t.Logf("a healthy hook: p50 %s, p99 %s after the commit", late[measured/2], late[measured*99/100])
	// Who waits for a hook that hangs waits for the timeout of its attempts, 1 s
	// for each event before it.
	if p99 := late[measured*99/100]; p99 > 2*time.Second {
		t.Errorf("a healthy hook got its events %s after their commit (p99)", p99)
	}
	proctest.Confirmed(t, db) // the slot does not wait for the dead ones
	if n := parkedRows(t, db, "parked"); n != fmt.Sprint(2*(warm+measured)) {
		t.Errorf("%s deliveries are parked", n)
	}

	r.Script(path(1))
	r.Script(path(2))
	db.Exec(t, "UPDATE webhook SET updated_at = now() WHERE id <= 2") // does not wait for the back-off
	unparked(t, db)
	for hook := 1; hook <= 10; hook++ {
		inOrderPerTask(t, db, r, path(hook), from)
	}
	for hook := 3; hook <= 10; hook++ {
		// An attempt that a busy machine has not answered in time is repeated.
		r.DuplicatesAtMost(t, path(hook), p.attempts(t, hook, "timeout"))
	}
}

// TestHealthyDeliveryWritesNothing: not one row, whether events come one by one
// or as one large transaction.
func TestHealthyDeliveryWritesNothing(t *testing.T) {
	t.Parallel()
	writesNothing(t, 30, 300)
}

// writesNothing has so many events come one by one, and in one transaction.
func writesNothing(t *testing.T, single, bulk int) {
	t.Helper()
	db := cdctest.Since(t, 15).LabelStudio(t) // which can flush its statistics
	r := tenHooks(t, db)
	begun := time.Now()
	start(t, db, "HOOKTAIL_SETTLE=0")
	const writes = `SELECT coalesce(string_agg(relname || ' ' || n_tup_ins + n_tup_upd + n_tup_del, ', ' ORDER BY relname), '') FROM pg_stat_user_tables
		WHERE schemaname = 'hooktail' AND relname NOT IN ('migration', 'identity', 'position')`
	before := db.QueryText(t, writes) // by setup, which notes what hooks want
	annotateMany(t, db, single)
	db.Exec(t, `INSERT INTO task_completion (result, task_id, project_id, completed_by_id, updated_by_id, was_cancelled,
		ground_truth, created_at, updated_at, prediction, result_count, bulk_created)
		SELECT '[]', 7 + n % 3, 1, 1, 1, false, false, now(), now(), '{}', 0, false FROM generate_series(1, $1) n`, bulk)
	delivered(t, db)
	for hook := 1; hook <= 10; hook++ {
		if n := len(r.Requests(path(hook))); n != single+bulk {
			t.Errorf("hook %d got %d requests", hook, n)
		}
	}
	if n := parkedRows(t, db, "parked"); n != "0" {
		t.Errorf("%s deliveries are parked", n)
	}
	db.Exec(t, "SELECT pg_stat_force_next_flush()")
	if after := db.QueryText(t, writes); after != before {
		t.Errorf("rows were written: %s, before it was %s", after, before)
	}
	// The position is: when the slot is made, when it is connected, and every so often.
	const read = "SELECT (n_tup_ins + n_tup_upd)::text FROM pg_stat_user_tables WHERE schemaname = 'hooktail' AND relname = 'position'"
	positions, err := strconv.Atoi(db.QueryText(t, read))
	if most := 3 + int(time.Since(begun)/relay.PositionEvery); err != nil || positions == 0 || positions > most {
		t.Errorf("the position was written %d times, want at most %d (error %v)", positions, most, err)
	}
}

// TestStopParksWhatIsUnfinished: the end does not wait for a dead hook, and the
// next run sends nothing twice.
func TestStopParksWhatIsUnfinished(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	r := tenHooks(t, db)
	from := lastAnnotation(t, db)
	r.Script(path(1), dispatchtest.Status(500))
	p := start(t, db, "HOOKTAIL_SETTLE=0", "HOOKTAIL_GRACE=30s")
	annotateMany(t, db, 30)
	begun := time.Now()
	if code := p.end(t); code != exitDone {
		t.Fatalf("exit code = %d:\n%s", code, p.err)
	}
	if took := time.Since(begun); took > 15*time.Second {
		t.Errorf("the end took %s", took)
	}
	r.Script(path(1))
	start(t, db, "HOOKTAIL_SETTLE=0")
	delivered(t, db)
	for hook := 1; hook <= 10; hook++ {
		inOrderPerTask(t, db, r, path(hook), from)
		r.DuplicatesAtMost(t, path(hook), 0)
	}
}
