package dispatch

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/retry"
	"github.com/hooktail/hooktail/mapping"
)

// lockingStore is a store in which another session has locked rows until a given time.
type lockingStore struct {
	*fakeStore
	until time.Time
	locks func(state.Key) bool
}

func (s *lockingStore) Apply(ctx context.Context, b state.Batch) error {
	var locked []state.Key
	touch := func(key state.Key) {
		if time.Now().Before(s.until) && s.locks(key) {
			locked = append(locked, key)
		}
	}
	for _, row := range b.Insert {
		touch(row.Key)
	}
	for _, a := range append(append([]state.Attempt{}, b.Update...), b.Bury...) {
		touch(a.Key)
	}
	for _, key := range b.Delete {
		touch(key)
	}
	if len(locked) == 0 {
		return s.fakeStore.Apply(ctx, b)
	}
	if !b.AtOnce {
		_ = retry.Sleep(ctx, time.Second)
	}
	return &state.LockedError{Keys: locked}
}

// TestLockedRowsDelayOnlyThemselves: while another session has locked some rows, all others
// are written; the locked ones follow when they are free.
func TestLockedRowsDelayOnlyThemselves(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		many := rapid.IntRange(2, 40).Draw(r, "events")
		bad := rapid.IntRange(1, 4).Draw(r, "one in so many is locked")
		open := time.Duration(rapid.IntRange(60, 600).Draw(r, "seconds")) * time.Second
		synctest.Test(t, func(t *testing.T) {
			store := &lockingStore{
				fakeStore: newFakeStore(), until: time.Now().Add(open),
				locks: func(key state.Key) bool { return key.Hook == 1 && key.Event.Ordinal%bad == 0 },
			}
			answers := newStatuses(503, "h1", "h2")
			b := newBench(t, Options{Store: store}, answers.round, hostRow(1), hostRow(2))
			for n := range many {
				b.enqueue(t, 1, n, n+1)
				b.enqueue(t, 2, n, n+1)
			}
			time.Sleep(20 * time.Second) //nolint:forbidigo // of the bubble
			for hook := int64(1); hook <= 2; hook++ {
				for n := range many {
					store.mu.Lock()
					_, there := store.rows[state.Key{Hook: hook, Event: dispatchtest.Event(n, 1).ID}]
					store.mu.Unlock()
					locked := hook == 1 && n%bad == 0
					if there == locked {
						t.Fatalf("hook %d, event %d: stored %t, locked %t", hook, n, there, locked)
					}
				}
			}
			time.Sleep(open) //nolint:forbidigo // of the bubble
			if got := store.size(); got != 2*many {
				t.Fatalf("%d rows are stored after the lock, want %d", got, 2*many)
			}
		})
	})
}

func (s *lockingStore) Suspend(ctx context.Context, hook int64, from mapping.ID) error {
	if time.Now().Before(s.until) && s.locks(state.Key{Hook: hook}) {
		_ = retry.Sleep(ctx, time.Second)
		return &state.LockedError{}
	}
	return s.fakeStore.Suspend(ctx, hook, from)
}

// TestLockedSettingDelaysNoRow: while the setting of a hook that must be suspended is
// locked, none of its missed events is dropped, and deliveries of other hooks are stored.
func TestLockedSettingDelaysNoRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &lockingStore{
			fakeStore: newFakeStore(), until: time.Now().Add(10 * time.Minute),
			locks: func(key state.Key) bool { return key == state.Key{Hook: 1} },
		}
		b := newBench(t, Options{Store: store, MaxParked: 2000}, newStatuses(500, "h1", "h2").round, hostRow(1), hostRow(2))
		parked := fillRoom(t, b)
		for n := range 5 {
			b.enqueue(t, 1, parked+n, n+1)
		}
		b.enqueue(t, 2, 100, 1)
		<-time.After(10 * time.Second)
		if n := len(store.list(2, state.Parked)); n != 1 {
			t.Errorf("%d rows of the other hook are stored, want 1", n)
		}
		if n := len(b.finished()); n != parked+1 {
			t.Errorf("%d are done before the store knows of the suspension, want %d", n, parked+1)
		}
		<-time.After(10 * time.Minute)
		synctest.Wait()
		if from := store.suspended[1]; len(b.finished()) != parked+6 || from.Ordinal != parked {
			t.Errorf("%d are done, suspended from %d, want %d and %d", len(b.finished()), from.Ordinal, parked+6, parked)
		}
	})
}

// TestTailIsReadAfterLockedRows: a delivered event whose row is locked is not read from the
// tail again: each event arrives once, in order.
func TestTailIsReadAfterLockedRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &lockingStore{fakeStore: newFakeStore(), locks: func(key state.Key) bool { return key.Event.Ordinal%5 == 0 }}
		answers := newStatuses(500, "h1")
		var mu sync.Mutex
		var sent []string
		b := newBench(t, Options{Store: store, Concurrency: 1}, func(r *http.Request) (*http.Response, error) {
			a, err := answers.round(r)
			mu.Lock()
			defer mu.Unlock()
			if a.StatusCode == 200 {
				sent = append(sent, r.Header.Get("Idempotency-Key"))
			}
			return a, err
		}, hostRow(1))
		const events = 300 // more than a window has while the hook fails
		for n := range events {
			b.enqueue(t, 1, n, n%10+1)
		}
		<-time.After(time.Minute)
		answers.set("h1", 200)
		store.until = time.Now().Add(time.Minute)
		b.Retry(1)
		<-time.After(30 * time.Second)
		b.Redriven([]state.Row{{Key: state.Key{Hook: 1, Event: dispatchtest.Event(0, 1).ID}}}) // all of it is read again
		<-time.After(10 * time.Minute)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		at := make(map[string]int)
		for i, id := range sent {
			at[id] = i
		}
		if len(sent) != events || len(at) != events || store.size() != 0 {
			t.Fatalf("%d arrivals of %d events, %d rows are left", len(sent), len(at), store.size())
		}
		for n := 10; n < events; n++ {
			if before := ids(n-10, n-10)[0]; at[before] > at[ids(n, n)[0]] {
				t.Errorf("event %d came before %s", n, before)
			}
		}
	})
}

// TestCloseWithLockedRows: Close writes locked rows if they are freed in time. Otherwise
// their deliveries are not done, and come again.
func TestCloseWithLockedRows(t *testing.T) {
	for _, tt := range []struct {
		name  string
		open  time.Duration // the lock, after Close was called
		done  int
		close time.Duration // how long it takes at most
	}{
		{"in time", 2 * time.Second, 10, 5 * time.Second},
		{"too late", time.Hour, 5, writeWithin},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &lockingStore{
					fakeStore: newFakeStore(), until: time.Now().Add(time.Minute + tt.open),
					locks: func(key state.Key) bool { return key.Event.Ordinal%2 == 0 },
				}
				b := newBench(t, Options{Store: store}, newStatuses(503, "h1").round, hostRow(1))
				for n := range 10 {
					b.enqueue(t, 1, n, n+1)
				}
				<-time.After(time.Minute)
				if n := len(b.finished()); n != 5 {
					t.Errorf("%d are done while half of the rows are locked", n)
				}
				begun := time.Now()
				b.Close()
				if took := time.Since(begun); took > tt.close {
					t.Errorf("Close took %s", took)
				}
				if n := len(b.finished()); n != tt.done || store.size() != tt.done {
					t.Errorf("%d are done, %d stored, want %d", n, store.size(), tt.done)
				}
			})
		})
	}
}
