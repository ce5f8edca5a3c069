//go:build unix

package faults

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestFailover: the primary dies in the middle of the work and its standby is
// promoted. The hooktail that ran goes on there by itself: its slot is there too,
// every event arrives, and those that come again have the ids that they had.
func TestFailover(t *testing.T) {
	t.Parallel()
	for _, major := range []string{"17", "18"} {
		t.Run(major, func(t *testing.T) {
			t.Parallel()
			failover(t, major)
		})
	}
}

func failover(t *testing.T, major string) {
	primary := cdctest.Private(t, throwaway.Options{Major: major})
	db := primary.LabelStudio(t)
	standby := primary.Standby(t)
	promoted := db.On(standby)
	receiver := newFronts(time.Millisecond)
	oneHook(t, db)
	both := url.URL{Scheme: "postgres", User: url.User("hooktail"), Path: "/" + db.Name, RawQuery: url.Values{
		"host": {hostOf(t, db) + "," + hostOf(t, promoted)}, "target_session_attrs": {"read-write"},
	}.Encode()}
	proctest.SetUp(t, db)
	p := proctest.Run(t, db, "HOOKTAIL_SETTLE=0", "HOOKTAIL_DATABASE_URL="+both.String(), "HOOKTAIL_PROXY="+receiver.proxy(t, "hooktail"))
	if kept := db.QueryText(t, "SELECT failover FROM pg_replication_slots WHERE slot_name = $1", db.Name); kept != "t" {
		t.Fatalf("failover of the slot = %q", kept)
	}
	committed := make(map[int64][]int64)
	commit(t, db, annotate, 30, committed)
	synced(t, db, promoted)
	before := receiver.count()
	receiver.hold() // what follows arrives, and is not answered before the primary is dead
	commit(t, db, annotate, 6, committed)
	proctest.WaitFor(t, func() error {
		if n := receiver.count(); n < before+3 {
			return fmt.Errorf("%d events of the last moment arrived, want one of each task", n-before)
		}
		return nil
	})
	replayed(t, db)
	if err := primary.Stop(throwaway.Crash); err != nil {
		t.Fatalf("kill the primary: %v", err)
	}
	p.Stderr.Find(t, "(does not lead any more)", p.Ended())
	receiver.answer()
	if done := promoted.QueryText(t, "SELECT pg_promote()"); done != "t" {
		t.Fatalf("pg_promote() = %q", done)
	}
	commit(t, promoted, annotate, 30, committed)
	proctest.Confirmed(t, promoted)
	receiver.check(t, committed)
	timelines := map[string]int{}
	for _, a := range receiver.all() {
		timeline, _, _ := strings.Cut(a.event, "-")
		timelines[timeline]++
	}
	if timelines["1"] < 39 || timelines["2"] != 30 || len(timelines) != 2 {
		t.Errorf("events by timeline: %v, want 36 and what came again of timeline 1, and 30 of timeline 2", timelines)
	}
	t.Logf("events by timeline: %v", timelines)
}

// commit runs the statement, which inserts an annotation of task $1, for three tasks
// in turn, and adds the annotations to those of their tasks.
func commit(t *testing.T, db *cdctest.Database, sql string, n int, committed map[int64][]int64) {
	t.Helper()
	for i := range n {
		task := int64(7 + i%3)
		id, err := strconv.ParseInt(db.QueryText(t, sql, task), 10, 64)
		if err != nil {
			t.Fatalf("annotate: %v", err)
		}
		committed[task] = append(committed[task], id)
	}
}

// hostOf is the directory of the server's socket.
func hostOf(t *testing.T, db *cdctest.Database) string {
	t.Helper()
	dsn, err := url.Parse(db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	return dsn.Query().Get("host")
}

// synced waits until the standby has the slot, and would keep it if promoted.
func synced(t *testing.T, db, standby *cdctest.Database) {
	t.Helper()
	proctest.WaitFor(t, func() error {
		// The standby can take the slot over once the primary has logged which
		// transactions are running, which it does by itself every 15 seconds.
		db.Exec(t, "SELECT pg_log_standby_snapshot()")
		state := standby.QueryText(t, `SELECT concat_ws(' ', CASE WHEN synced AND NOT temporary THEN 'synced' END, invalidation_reason)
			FROM pg_replication_slots WHERE slot_name = $1`, db.Name)
		if state != "synced" {
			return fmt.Errorf("the slot at the standby: %q", state)
		}
		return nil
	})
}

// replayed waits until the standby has replayed all that is committed.
func replayed(t *testing.T, db *cdctest.Database) {
	t.Helper()
	end := db.QueryText(t, "SELECT pg_current_wal_lsn()")
	proctest.WaitFor(t, func() error {
		if done := db.QueryText(t, "SELECT bool_and(replay_lsn >= $1::pg_lsn) FROM pg_stat_replication WHERE application_name = 'standby'", end); done != "t" {
			return fmt.Errorf("the standby has not replayed %s", end)
		}
		return nil
	})
}
