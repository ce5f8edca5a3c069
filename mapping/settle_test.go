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
)

func TestSettlerWaitsUntilDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, start := NewSettler[int](), time.Now()
		for i := range 5 {
			s.Add(start.Add(time.Duration(i)*time.Second), i)
		}
		for i, want := range [][]int{{0}, {1}} {
			got, err := s.Next(t.Context(), 10)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Fatalf("items (-want +got):\n%s, error %v", diff, err)
			}
			if d := time.Since(start); d != time.Duration(i)*time.Second {
				t.Errorf("item %d after %v", i, d)
			}
		}
		if s.Len() != 3 {
			t.Errorf("%d items wait, want 3", s.Len())
		}
	})
}

func TestSettlerKeepsOrderAndLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, now := NewSettler[int](), time.Now()
		s.Add(now.Add(time.Second), 1)
		s.Add(now, 2) // due before, but later in the stream
		s.Add(now, 3)
		got, _ := s.Next(t.Context(), 2)
		if diff := cmp.Diff([]int{1, 2}, got); diff != "" {
			t.Errorf("items (-want +got):\n%s", diff)
		}
		if d := time.Since(now); d != time.Second {
			t.Errorf("after %v, want 1s", d)
		}
	})
}

func TestSettlerWakesForWhatIsAdded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, got := NewSettler[string](), make(chan []string)
		go func() {
			items, _ := s.Next(t.Context(), 10)
			got <- items
		}()
		synctest.Wait()
		s.Add(time.Now(), "a")
		if diff := cmp.Diff([]string{"a"}, <-got); diff != "" {
			t.Errorf("items (-want +got):\n%s", diff)
		}
	})
}

func TestSettlerFlushAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, start := NewSettler[int](), time.Now()
		s.Add(start.Add(time.Hour), 1)
		go s.Flush()
		got, err := s.Next(t.Context(), 10)
		if diff := cmp.Diff([]int{1}, got); diff != "" || err != nil {
			t.Fatalf("items (-want +got):\n%s, error %v", diff, err)
		}
		s.Add(start.Add(time.Hour), 2)
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

func TestSettlerEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s := NewSettler[int]()
		s.Add(time.Now().Add(time.Hour), 1)
		if _, err := s.Next(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the context's", err)
		}
	})
}

// Space of items that are gone is used again.
func TestSettlerDoesNotGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSettler[int]()
		next := 0
		for i := range 10_000 {
			s.Add(time.Now(), i)
			if i < 4 {
				continue // four always wait
			}
			got, err := s.Next(t.Context(), 1)
			if err != nil || got[0] != next {
				t.Fatalf("got %v, %v, want %d", got, err, next)
			}
			next++
		}
		if cap(s.items) > 64 {
			t.Errorf("room for %d items where four wait", cap(s.items))
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
		s := NewSettler[int]()
		begun := time.Now()
		for i := range 5 {
			s.Add(begun.Add(time.Duration(i)*4*time.Millisecond), i)
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
