package faults

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// check waits until everything is delivered and nothing parked, and asserts of
// each hook that all that was committed has arrived and nothing else, under one
// id, and for the first time and the last in the order of the commits: the
// annotations of a task, and those of all tasks of a project with the changes of
// the project.
func (s *scene) check(t testing.TB) {
	t.Helper()
	s.checkFirst(t)
	for _, hook := range s.hooks {
		inOrder(t, hook+" (last arrivals)", s.arrivals(hook), s.lastOrder(hook))
	}
}

// checkFirst is check without the order of last arrivals.
func (s *scene) checkFirst(t testing.TB) {
	t.Helper()
	s.answers(nil)
	s.settled(t)
	written := s.written(t)
	s.mu.Lock()
	for _, fault := range s.faults {
		t.Error(fault)
	}
	s.mu.Unlock()
	for _, hook := range s.hooks {
		got := s.arrivals(hook)
		complete(t, hook, s.of(hook, written), got)
		first := make(map[string]int, len(got))
		for i, a := range got {
			first[a.id] = i + 1
		}
		inOrder(t, hook+" (first arrivals)", got, first)
	}
	events := 0
	for _, rows := range written {
		events += len(rows)
	}
	t.Logf("%d events for each of %d hooks, %d requests repeated", events, len(s.hooks), s.duplicates())
}

// settled waits until all is delivered. Hooks whose deliveries wait for their
// next attempt are nudged.
func (s *scene) settled(t testing.TB) {
	t.Helper()
	s.log.Delivered(t, s.db)
	s.db.Exec(t, "UPDATE webhook SET updated_at = now()")
	proctest.WaitFor(t, func() error {
		if n := s.db.QueryText(t, "SELECT count(*) FROM hooktail.parked"); n != "0" {
			return fmt.Errorf("%s deliveries are still parked", n)
		}
		return nil
	})
}

// row is what a load has committed: a number of a project, with its task.
type row struct{ n, task int }

// written is what was committed, by project in order.
func (s *scene) written(t testing.TB) map[int][]row {
	t.Helper()
	conn := s.db.Connect(t)
	defer conn.Close(context.Background())
	rows, err := conn.Query(context.Background(), "SELECT project, n, task FROM written ORDER BY project, n")
	if err != nil {
		t.Fatalf("read what was written: %v", err)
	}
	out := make(map[int][]row)
	var project int
	var r row
	if _, err := pgx.ForEachRow(rows, []any{&project, &r.n, &r.task}, func() error {
		out[project] = append(out[project], r)
		return nil
	}); err != nil {
		t.Fatalf("read what was written: %v", err)
	}
	if len(out) == 0 {
		t.Fatal("nothing was written")
	}
	return out
}

// complete asserts that what arrived is what was written.
func complete(t testing.TB, hook string, written map[int][]row, got []delivered) {
	t.Helper()
	annotations, changes := make(map[[2]int]int), make(map[int]int)
	for _, a := range got {
		if a.task == 0 {
			changes[a.project]++
		} else {
			annotations[[2]int{a.project, a.n}] = a.task
		}
	}
	for project, rows := range written {
		for _, r := range rows {
			key := [2]int{project, r.n}
			switch task, there := annotations[key]; {
			case r.task == 0:
				changes[project]--
			case !there:
				t.Errorf("%s: annotation %d of project %d has not arrived", hook, r.n, project)
			case task != r.task:
				t.Errorf("%s: annotation %d of project %d arrived with task %d, not %d", hook, r.n, project, task, r.task)
			}
			delete(annotations, key)
		}
	}
	for key := range annotations {
		t.Errorf("%s: annotation %d of project %d has arrived, which was never committed", hook, key[1], key[0])
	}
	for project, n := range changes {
		if n != 0 {
			t.Errorf("%s: of the changes of project %d, %d more have arrived than were committed", hook, project, n)
		}
	}
}

// of is what of that is for the hook.
func (s *scene) of(hook string, written map[int][]row) map[int][]row {
	if project, some := s.only[hook]; some {
		return map[int][]row{project: written[project]}
	}
	return written
}

// inOrder asserts that nothing arrived before what it has to follow, by the order at of its
// first arrivals, or of its last.
func inOrder(t testing.TB, hook string, got []delivered, at map[string]int) {
	t.Helper()
	type known struct {
		n, last, change int         // the last number; the latest of all, and of a change
		of              map[int]int // the latest by task
	}
	slices.SortFunc(got, func(a, b delivered) int {
		if a.before(b.place) {
			return -1
		}
		return 1
	})
	projects := make(map[int]*known)
	for _, a := range got {
		p := projects[a.project]
		if p == nil {
			p = &known{of: make(map[int]int)}
			projects[a.project] = p
		}
		now := at[a.id]
		switch {
		case a.task == 0 && now < p.last:
			t.Errorf("%s: change %s of project %d arrived before an event that was committed before it", hook, a.id, a.project)
		case a.task != 0 && (now < p.of[a.task] || now < p.change):
			t.Errorf("%s: annotation %d (%s) of task %d arrived before an event that was committed before it", hook, a.n, a.id, a.task)
		case a.task != 0 && a.n <= p.n:
			t.Errorf("%s: annotation %d of project %d is event %s, after annotation %d", hook, a.n, a.project, a.id, p.n)
		}
		p.last = max(p.last, now)
		if a.task == 0 {
			p.change = now
		} else {
			p.n, p.of[a.task] = a.n, now
		}
	}
}

// neverAhead asserts that all that is confirmed is delivered, parked, or in the log. It may
// be called while the load goes on.
func (s *scene) neverAhead(t testing.TB) {
	t.Helper()
	ctx := context.Background()
	conn := s.db.Connect(t)
	defer conn.Close(ctx)
	var confirmed string
	if err := conn.QueryRow(ctx, "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = $1", s.db.Name).Scan(&confirmed); err != nil {
		t.Fatalf("read slot: %v", err)
	}
	// Each user writes one transaction after the other: one has ended before the
	// next begins to write.
	transactions, err := conn.Query(ctx, `SELECT project, min(n), max(n), min(task) FROM (
			SELECT *, lead(lsn) OVER (PARTITION BY project ORDER BY n) AS next, lead(xid) OVER (PARTITION BY project ORDER BY n) AS next_xid FROM written
		) w GROUP BY project, xid HAVING max(next) FILTER (WHERE next_xid <> xid) <= $1::pg_lsn`, confirmed)
	if err != nil {
		t.Fatalf("read what was written: %v", err)
	}
	type done struct{ project, first, last, task int }
	confirmedOnes, err := pgx.CollectRows(transactions, func(r pgx.CollectableRow) (d done, err error) {
		return d, r.Scan(&d.project, &d.first, &d.last, &d.task)
	})
	if err != nil {
		t.Fatalf("read what was written: %v", err)
	}
	logged, parked := s.inLog(t), s.parked(t, conn)
	for id, hook := range s.hooks {
		have, changes := make(map[[2]int]bool), make(map[int]map[string]bool)
		note := func(a delivered) {
			if a.task != 0 {
				have[[2]int{a.project, a.n}] = true
				return
			}
			if changes[a.project] == nil {
				changes[a.project] = make(map[string]bool)
			}
			changes[a.project][a.id] = true
		}
		for _, a := range append(logged[id+1], parked[id+1]...) {
			note(a)
		}
		for _, a := range s.arrivals(hook) {
			note(a)
		}
		want := make(map[int]int)
		for _, d := range confirmedOnes {
			if d.task == 0 {
				want[d.project]++
				continue
			}
			for n := d.first; n <= d.last; n++ {
				if !have[[2]int{d.project, n}] {
					t.Fatalf("%s: the slot is confirmed at %s, beyond annotation %d of project %d, which is neither delivered nor parked nor in the log", hook, confirmed, n, d.project)
				}
			}
		}
		for project, n := range want {
			if len(changes[project]) < n {
				t.Fatalf("%s: the slot is confirmed at %s, beyond %d changes of project %d, of which %d are delivered, parked or in the log",
					hook, confirmed, n, project, len(changes[project]))
			}
		}
	}
}

// parked is what is stored, by hook.
func (s *scene) parked(t testing.TB, conn *pgx.Conn) map[int][]delivered {
	t.Helper()
	rows, err := conn.Query(context.Background(), `SELECT hook_id, event_id, (body->'project'->>'id')::int, coalesce(task_id, 0), coalesce((body->'annotation'->>'result_count')::int, 0)
		FROM (SELECT hook_id, event_id, task_id, convert_from(body, 'UTF8')::jsonb AS body FROM hooktail.parked) p`)
	if err != nil {
		t.Fatalf("read what is parked: %v", err)
	}
	out := make(map[int][]delivered)
	var hook int
	var a delivered
	if _, err := pgx.ForEachRow(rows, []any{&hook, &a.id, &a.project, &a.task, &a.n}, func() error {
		out[hook] = append(out[hook], a)
		return nil
	}); err != nil {
		t.Fatalf("read what is parked: %v", err)
	}
	return out
}

// arrives waits until that many events more have arrived at the hook.
func (s *scene) arrives(t testing.TB, hook string, more int) {
	t.Helper()
	from := s.count(hook)
	proctest.WaitFor(t, func() error {
		if n := s.count(hook) - from; n < more {
			return fmt.Errorf("%s: %d events more have arrived, not %d", hook, n, more)
		}
		return nil
	})
}

// sometimes is a receiver's bad day: the hook refuses every nth request.
func sometimes(bad string, nth int) func(hook string) int {
	n := 0
	return func(hook string) int {
		if hook != bad {
			return http.StatusOK
		}
		if n++; n%nth == 0 {
			return http.StatusInternalServerError
		}
		return http.StatusOK
	}
}
