//go:build long && unix

package faults

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
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
			eachRoute(t, func(t *testing.T, route proctest.Route) {
				failover(t, route, major)
			})
		})
	}
}

func failover(t *testing.T, route proctest.Route, major string) {
	primary := cdctest.Private(t, throwaway.Options{Major: major})
	db := primary.LabelStudio(t)
	standby := primary.Standby(t)
	promoted := db.On(standby)
	receiver := newFronts(time.Millisecond)
	oneHook(t, db)
	both := url.URL{Scheme: "postgres", User: url.User("hooktail"), Path: "/" + db.Name, RawQuery: url.Values{
		"host": {hostOf(t, db) + "," + hostOf(t, promoted)}, "target_session_attrs": {"read-write"},
	}.Encode()}
	log := route.Log(t)
	proctest.SetUp(t, db, log.Variables()[0]...)
	p := programs(log.Run(t, db, "HOOKTAIL_SETTLE=0", "HOOKTAIL_DATABASE_URL="+both.String(), "HOOKTAIL_PROXY="+receiver.proxy(t, "hooktail")))
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
	p.reader().Stderr.Find(t, "(Lost leadership)", p.reader().Ended())
	receiver.answer()
	if done := promoted.QueryText(t, "SELECT pg_promote()"); done != "t" {
		t.Fatalf("pg_promote() = %q", done)
	}
	commit(t, promoted, annotate, 30, committed)
	log.Delivered(t, promoted)
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

// TestLossyFailover: the standby that is promoted lacks the last transaction, whose event
// is on its way. Whether all connections are cut, or the one of the lock is merely silent:
// whatever is committed on the new server arrives, also where its LSN was read before.
func TestLossyFailover(t *testing.T) {
	t.Parallel()
	for name, silent := range map[string]bool{"all connections are cut": false, "the lock's connection is silent": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lossyFailover(t, silent)
		})
	}
}

func lossyFailover(t *testing.T, silent bool) {
	primary := cdctest.Private(t, throwaway.Options{Major: "18"})
	db := primary.LabelStudio(t)
	standby := primary.Standby(t)
	promoted := db.On(standby)
	for _, sql := range []string{"ALTER SYSTEM RESET synchronized_standby_slots", "SELECT pg_reload_conf()", "CREATE TABLE filler (v text)"} {
		db.Exec(t, sql)
	}
	receiver := newFronts(time.Millisecond)
	oneHook(t, db)
	proctest.SetUp(t, db)
	network := cdctest.NewProxy(t, "unix", primary.Socket())
	p := proctest.Run(t, db, "HOOKTAIL_SETTLE=0", "HOOKTAIL_TIMEOUT=60s", "HOOKTAIL_PROXY="+receiver.proxy(t, "hooktail"),
		"HOOKTAIL_DATABASE_URL=postgres://hooktail@"+network.Addr()+"/"+db.Name+"?sslmode=disable")
	committed, lost := make(map[int64][]int64), make(map[int64][]int64)
	commit(t, db, annotate, 9, committed)
	proctest.Confirmed(t, db)
	synced(t, db, promoted)
	before := receiver.count()
	receiver.hold()
	commit(t, db, annotate, 1, committed) // keeps the position where it is
	replayed(t, db)

	db.Exec(t, `DO $$ BEGIN EXECUTE format('COPY (SELECT ''local all all trust'') TO %L', current_setting('hba_file')); END $$`) // all but the standby
	db.Exec(t, "SELECT pg_reload_conf()")
	proctest.WaitFor(t, func() error {
		if n := db.QueryText(t, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_replication WHERE application_name = 'standby'"); n != "0" {
			return errors.New("the standby is still attached")
		}
		return nil
	})
	db.Exec(t, "INSERT INTO filler SELECT repeat('x', 1000) FROM generate_series(1, 200)")
	commit(t, db, annotate, 2, lost)
	proctest.WaitFor(t, func() error {
		if n := receiver.count(); n < before+2 {
			return fmt.Errorf("%d events of the last moment are on their way, want that of the other task too", n-before)
		}
		return nil
	})
	end := db.QueryText(t, "SELECT pg_current_wal_lsn()")
	network.FailOver("unix", standby.Socket(), silent) // before the primary's end closes all connections
	if err := primary.Stop(throwaway.Crash); err != nil {
		t.Fatalf("kill the primary: %v", err)
	}
	if done := promoted.QueryText(t, "SELECT pg_promote()"); done != "t" {
		t.Fatalf("pg_promote() = %q", done)
	}
	commit(t, promoted, annotate, 9, committed)
	if below := promoted.QueryText(t, "SELECT pg_current_wal_lsn() < $1::pg_lsn", end); below != "t" {
		t.Fatal("the new commits are beyond what was read: the test shows nothing")
	}
	proctest.WaitFor(t, func() error {
		if active := promoted.QueryText(t, "SELECT active FROM pg_replication_slots WHERE slot_name = $1", db.Name); active != "t" {
			return fmt.Errorf("nobody reads the slot of the new server:\n%s", p.Stderr)
		}
		return nil
	})
	receiver.answer()
	promoted.Exec(t, "INSERT INTO filler SELECT repeat('x', 1000) FROM generate_series(1, 500)") // the new server's log passes what was read
	proctest.WaitFor(t, func() error {
		arrived := make(map[string]bool)
		for _, a := range receiver.all() {
			if timeline, _, _ := strings.Cut(a.event, "-"); timeline == "2" || !slices.Contains(lost[a.task], a.annotation) {
				arrived[fmt.Sprint(a.task, a.annotation)] = true
			}
		}
		for task, annotations := range committed {
			for _, annotation := range annotations {
				if !arrived[fmt.Sprint(task, annotation)] {
					return fmt.Errorf("annotation %d of task %d has not arrived:\n%s", annotation, task, p.Stderr)
				}
			}
		}
		return nil
	})
	proctest.Confirmed(t, promoted)
	last := make(map[int64]int64)
	for _, a := range receiver.all() {
		last[a.task] = a.annotation
	}
	for task, annotations := range committed {
		if want := annotations[len(annotations)-1]; last[task] != want {
			t.Errorf("the last of task %d to arrive was annotation %d, want %d", task, last[task], want)
		}
	}
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

// synced waits until the standby has the slot, would keep it if promoted, and has told
// the primary which rows of the catalogue the slot needs: before that, the primary may
// remove them, and the slot is lost.
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
		if told := db.QueryText(t, "SELECT catalog_xmin FROM pg_replication_slots WHERE slot_name = 'standby'"); told == "" {
			return errors.New("the primary does not know what the slot at the standby needs")
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
