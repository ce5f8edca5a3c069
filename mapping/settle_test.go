package mapping

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// settler is one that waits for a second.
func settler() *Settler[int] { return NewSettler[int](Options{Settle: time.Second}) }

// aged is an event of a task of project 1 that is received now and due after that time.
func aged(task int64, due time.Duration) *Event {
	return &Event{Project: 1, Task: task, Received: time.Now(), Age: time.Second - due}
}

func TestSettlerWaitsUntilDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, start := settler(), time.Now()
		for i := range 5 {
			s.Add(aged(int64(5-i), time.Duration(i)*100*time.Millisecond), i)
		}
		for i, want := range [][]int{{0}, {1}} {
			got, err := s.Next(t.Context(), 10)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Fatalf("items (-want +got):\n%s, error %v", diff, err)
			}
			if d := time.Since(start); d != time.Duration(i)*100*time.Millisecond {
				t.Errorf("item %d after %v", i, d)
			}
		}
		if s.Len() != 3 {
			t.Errorf("%d items wait, want 3", s.Len())
		}
	})
}

// The order holds for a task and for a project, and nobody else waits.
func TestSettlerKeepsTheOrderOfTasksAndProjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, start := settler(), time.Now()
		other := aged(7, 0)
		other.Project = 2
		for i, e := range []*Event{aged(7, 300*time.Millisecond), aged(7, 0), aged(8, 0), other, aged(0, 100*time.Millisecond), aged(8, 0), aged(9, 400*time.Millisecond)} {
			s.Add(e, i)
		}
		for _, step := range []struct {
			after time.Duration
			want  []int
		}{{0, []int{2, 3}}, {300 * time.Millisecond, []int{0, 1, 4, 5}}, {400 * time.Millisecond, []int{6}}} {
			got, _ := s.Next(t.Context(), 10)
			if diff := cmp.Diff(step.want, got); diff != "" || time.Since(start) != step.after {
				t.Errorf("items after %v (-want +got), want them after %v:\n%s", time.Since(start), step.after, diff)
			}
		}
	})
}

// TestSettlerModel: whatever is added, each event leaves once, when it is due and all are
// gone that it has to follow, and no later.
func TestSettlerModel(t *testing.T) {
	type entry struct {
		project, task int64
		due           time.Duration
	}
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(rt, "events")
		var entries []entry
		for range n {
			entries = append(entries, entry{
				rapid.Int64Range(1, 2).Draw(rt, "project"), rapid.Int64Range(0, 2).Draw(rt, "task"),
				time.Duration(rapid.IntRange(0, 9).Draw(rt, "due")) * 100 * time.Millisecond,
			})
		}
		limit := rapid.IntRange(1, 5).Draw(rt, "limit")
		want := make([]time.Duration, n) // when it leaves
		for i, e := range entries {
			want[i] = e.due
			for j, before := range entries[:i] {
				if before.project == e.project && (before.task == e.task || before.task == 0 || e.task == 0) {
					want[i] = max(want[i], want[j])
				}
			}
		}
		synctest.Test(t, func(t *testing.T) {
			s, start := settler(), time.Now()
			for i, e := range entries {
				event := aged(e.task, e.due)
				event.Project = e.project
				s.Add(event, i)
			}
			s.Close()
			at := make([]int, n) // when each left
			for left := 0; ; {
				got, err := s.Next(t.Context(), limit)
				if errors.Is(err, io.EOF) {
					if left != n {
						t.Errorf("%d events left, want %d", left, n)
					}
					break
				}
				for _, i := range got {
					left++
					at[i] = left
					if d := time.Since(start); d != want[i] {
						t.Errorf("%v: event %d left after %v, want %v", entries, i, d, want[i])
					}
				}
			}
			for i, e := range entries {
				for j, before := range entries[:i] {
					if before.project == e.project && (before.task == e.task || before.task == 0 || e.task == 0) && at[j] > at[i] {
						t.Errorf("%v: event %d left before %d", entries, i, j)
					}
				}
			}
			if len(s.waiting.projects) != 0 {
				t.Errorf("%d projects are kept", len(s.waiting.projects))
			}
		})
	})
}

func TestSettlerWakesForWhatIsAdded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, got := settler(), make(chan []int)
		go func() {
			items, _ := s.Next(t.Context(), 10)
			got <- items
		}()
		synctest.Wait()
		s.Add(aged(1, 0), 7)
		if diff := cmp.Diff([]int{7}, <-got); diff != "" {
			t.Errorf("items (-want +got):\n%s", diff)
		}
	})
}

func TestSettlerFlushAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, start := settler(), time.Now()
		s.Add(aged(1, time.Second), 1)
		go s.Flush()
		got, err := s.Next(t.Context(), 10)
		if diff := cmp.Diff([]int{1}, got); diff != "" || err != nil {
			t.Fatalf("items (-want +got):\n%s, error %v", diff, err)
		}
		s.Add(aged(1, time.Second), 2)
		s.Close()
		if got, err = s.Next(t.Context(), 10); len(got) != 1 || err != nil {
			t.Errorf("added after the flush: %v, %v", got, err)
		}
		if _, err = s.Next(t.Context(), 10); !errors.Is(err, io.EOF) {
			t.Errorf("error %v, want EOF", err)
		}
		if time.Since(start) != 0 {
			t.Errorf("waited %v", time.Since(start))
		}
	})
}

// Space of items that are gone is used again.
func TestSettlerDoesNotGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settler()
		next := 0
		for i := range 10_000 {
			s.Add(aged(1, 0), i)
			if i < 4 {
				continue // four always wait
			}
			got, err := s.Next(t.Context(), 1)
			if err != nil || got[0] != next {
				t.Fatalf("got %v, %v, want %d", got, err, next)
			}
			next++
		}
		if cap(s.ready.items) > 64 {
			t.Errorf("room for %d items where four wait", cap(s.ready.items))
		}
	})
}

func TestSettlerEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		s := settler()
		s.Add(aged(1, time.Second), 1)
		if _, err := s.Next(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the context's", err)
		}
	})
}

func TestDue(t *testing.T) {
	received := time.Unix(1000, 0)
	for age, want := range map[time.Duration]time.Duration{
		0: 250 * time.Millisecond, 100 * time.Millisecond: 150 * time.Millisecond, time.Hour: 0,
		-time.Hour: 250 * time.Millisecond, // the clock was set back after the commit
	} {
		e := Event{Received: received, Age: age}
		if got := e.Due(250 * time.Millisecond).Sub(received); got != want {
			t.Errorf("age %v: due after %v, want %v", age, got, want)
		}
	}
}

// TestSettlerMore: what becomes due within the time, in order and no more than asked for,
// which is not waited for when it is there, also of a settler that is closed.
func TestSettlerMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settler()
		begun := time.Now()
		for i := range 5 {
			s.Add(aged(int64(i+1), time.Duration(i)*4*time.Millisecond), i)
		}
		if got := s.More(t.Context(), 10, 10*time.Millisecond); !slices.Equal(got, []int{0, 1, 2}) {
			t.Errorf("within 10 ms: %v", got)
		}
		if took := time.Since(begun); took != 10*time.Millisecond {
			t.Errorf("it took %s", took)
		}
		s.Close()
		<-time.After(10 * time.Millisecond)
		if got := s.More(t.Context(), 1, 10*time.Millisecond); !slices.Equal(got, []int{3}) {
			t.Errorf("at most one: %v", got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		begun = time.Now()
		if got := s.More(ctx, 1, time.Hour); !slices.Equal(got, []int{4}) || time.Since(begun) != 0 {
			t.Errorf("after the end of the context: %v in %s", got, time.Since(begun))
		}
		if got := s.More(t.Context(), 1, time.Millisecond); len(got) != 0 {
			t.Errorf("of nothing: %v", got)
		}
	})
}
