package dispatch

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/dispatch/state"
)

// lockingStore has rows that somebody has locked until a time.
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
		pause(ctx, time.Second)
	}
	return &state.LockedError{Keys: locked}
}

// TestLockedRowsDelayOnlyThemselves: while a person's transaction has some rows locked,
// all others are written, and at the end those as well.
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
					_, there := store.rows[state.Key{Hook: hook, Event: makeEvent(n, 1).ID}]
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
