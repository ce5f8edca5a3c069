package mapping

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/cdc"
)

// TestActionsModel: whatever users do at the same time, each of their events leaves once,
// in the order of the commits of its task and project, and no later than its bound and
// those of the events that it follows.
func TestActionsModel(t *testing.T) {
	type moment struct {
		pause   time.Duration
		age     time.Duration
		pass    bool
		changes []cdc.Change
	}
	s := labeling()
	often(t, func(rt *rapid.T) {
		var moments []moment
		clock := 0
		for range rapid.IntRange(1, 25).Draw(rt, "transactions") {
			m := moment{
				pause: time.Duration(rapid.SampledFrom([]int{0, 0, 1, 10, 300, 990, 1000, 2500}).Draw(rt, "pause")) * time.Millisecond,
				age:   time.Duration(rapid.SampledFrom([]int{0, 0, 0, 5, 700, 1500, 100_000, -5000}).Draw(rt, "age")) * time.Millisecond,
				pass:  rapid.IntRange(0, 4).Draw(rt, "pass") == 0,
			}
			task, user := rapid.IntRange(5, 6).Draw(rt, "task"), rapid.IntRange(1, 2).Draw(rt, "user")
			id := rapid.IntRange(7, 10).Draw(rt, "annotation")
			clock += rapid.IntRange(0, 1).Draw(rt, "tick")
			now := fmt.Sprintf("2026-11-23 11:17:08.%06d+00", clock)
			project := 1
			if task == 6 {
				project = rapid.IntRange(1, 2).Draw(rt, "project")
			}
			a := annotationRow(id, task, project, now, false).with(5, user)
			switch rapid.SampledFrom([]string{"insert", "insert", "quiet", "update", "delete", "counters", "stamp", "stamp", "turn", "delete task", "project", "tasks", "two"}).Draw(rt, "what") {
			case "insert":
				m.changes = append(m.changes, s.insert("task_completion", a...))
			case "quiet":
				m.changes = append(m.changes, s.update("task_completion", a, a))
			case "update":
				m.changes = append(m.changes, s.update("task_completion", a.with(3, t1), a))
			case "delete":
				m.changes = append(m.changes, s.remove("task_completion", a...))
			case "counters":
				m.changes = append(m.changes, s.update("task", taskRow(task, t1, user, "f"), taskRow(task, "2026-11-23 11:00:00+00", user, "f")))
			case "stamp":
				m.changes = append(m.changes, s.update("task", taskRow(task, t1, user, "f"), taskRow(task, now, user, "f")))
			case "turn":
				m.changes = append(m.changes, s.update("task", taskRow(task, t1, user, "f"), taskRow(task, now, user, "t")))
			case "delete task":
				m.changes = append(m.changes, s.remove("task", taskRow(task, t1, user, "f")...))
			case "project":
				p := projectRow(project, now, nil)
				m.changes = append(m.changes, s.update("project", p.with(1, "other"), p))
			case "tasks":
				m.changes = append(m.changes, s.insert("task", taskRow(20+id, now, user, "f")...), s.insert("task_completion", a.with(1, 20+id)...))
			case "two":
				m.changes = append(m.changes, s.remove("task_completion", a...), s.remove("task_completion", a.with(0, 30).with(1, 11-task)...))
			}
			moments = append(moments, m)
		}
		limit := rapid.IntRange(1, 5).Draw(rt, "limit")
		profile := rapid.SampledFrom([]Profile{Guide, Native}).Draw(rt, "profile")
		synctest.Test(t, func(t *testing.T) {
			o := Options{Settle: time.Second, Wanted: wantAll, Profile: profile}
			m, settler := NewMapper(o), NewSettler[int](o)
			type entry struct {
				event   Event
				latest  time.Time
				left    time.Time
				ordinal int
			}
			var mu sync.Mutex
			var entries []*entry // guarded by mu
			left := 0
			done := make(chan struct{})
			go func() {
				defer close(done)
				for {
					items, err := settler.Next(t.Context(), limit)
					if err != nil {
						if !errors.Is(err, io.EOF) {
							t.Errorf("error %v", err)
						}
						return
					}
					if !slices.IsSorted(items) {
						t.Errorf("%v are not in the order of adding", items)
					}
					mu.Lock()
					for _, item := range items {
						e := entries[item]
						if !e.left.IsZero() {
							t.Errorf("event %d left twice", item)
						}
						left++
						e.left, e.ordinal = time.Now(), left
					}
					mu.Unlock()
				}
			}()
			for n, step := range moments {
				<-time.After(step.pause)
				part := parts(cdc.LSN(n+1), step.changes)[0]
				part.XID, part.Age = uint32(n+1), step.age
				events, err := m.Events(part, nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range events {
					if step.pass {
						settler.Pass(e)
						continue
					}
					latest := e.Due(time.Second)
					for _, before := range entries {
						if before.event.Project == e.Project && (before.event.Task == e.Task || before.event.Task == 0 || e.Task == 0) && before.latest.After(latest) {
							latest = before.latest
						}
					}
					mu.Lock()
					entries = append(entries, &entry{event: *e, latest: latest})
					item := len(entries) - 1
					mu.Unlock()
					settler.Add(e, item)
				}
				settler.See(part.XID, m.Signs())
				synctest.Wait()
			}
			settler.Close()
			<-done
			for i, e := range entries {
				if e.left.IsZero() {
					t.Errorf("event %d never left", i)
				}
				if e.left.After(e.latest) {
					t.Errorf("event %d (%s) left %v too late", i, e.event.Action, e.left.Sub(e.latest))
				}
				for j, before := range entries[:i] {
					if before.event.Project == e.event.Project && (before.event.Task == e.event.Task || before.event.Task == 0 || e.event.Task == 0) && before.ordinal > e.ordinal {
						t.Errorf("event %d left before %d", i, j)
					}
				}
			}
			if settler.waiting.size != 0 || len(settler.waiting.projects) != 0 || len(settler.waiting.free) != 0 {
				t.Errorf("%d events of %d projects wait", settler.waiting.size, len(settler.waiting.projects))
			}
		})
		if t.Failed() {
			rt.Fatalf("see above: %v", moments)
		}
	})
}
