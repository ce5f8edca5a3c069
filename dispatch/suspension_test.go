package dispatch

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// stuckStore is a store that accepts nothing from some point on.
type stuckStore struct {
	*fakeStore
	stuck atomic.Bool
}

func (s *stuckStore) Apply(ctx context.Context, b state.Batch) error {
	if s.stuck.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.fakeStore.Apply(ctx, b)
}

func (s *stuckStore) Suspend(ctx context.Context, hook int64, from mapping.ID) error {
	if s.stuck.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.fakeStore.Suspend(ctx, hook, from)
}

// fill parks deliveries for hook 1 until its bound is reached, and returns their number.
func fillRoom(t *testing.T, b *bench) (n int) {
	t.Helper()
	for ; n < 500; n++ {
		if l := b.lanes[1]; l != nil {
			l.mu.Lock()
			full := l.backlog.isFull()
			l.mu.Unlock()
			if full {
				return n
			}
		}
		b.enqueue(t, 1, n, n+1)
		<-time.After(100 * time.Millisecond)
		synctest.Wait()
	}
	t.Fatal("the room is never taken")
	return n
}

// TestSuspensionIsDurableFirst: events that a suspended hook misses are only dropped after
// the store has recorded the suspension.
func TestSuspensionIsDurableFirst(t *testing.T) {
	for _, end := range []string{"heals", "halt", "park"} {
		t.Run(end, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &stuckStore{fakeStore: newFakeStore()}
				answers := newStatuses(500, "h1")
				b := newBench(t, Options{Store: store, MaxParked: 2000}, answers.round, hostRow(1))
				parked := fillRoom(t, b)
				store.stuck.Store(true)
				<-time.After(time.Minute)
				before := len(b.finished())
				for n := range 10 {
					b.enqueue(t, 1, parked+n, n+1)
				}
				<-time.After(time.Minute)
				if done := len(b.finished()) - before; done > 0 {
					t.Fatalf("%d of 10 are let go, and the store does not know", done)
				}
				switch end {
				case "halt":
					b.Halt()
					if done := len(b.finished()) - before; done > 0 {
						t.Errorf("%d are let go", done)
					}
				case "heals", "park":
					store.stuck.Store(false)
					if end == "park" {
						if err := b.Park(t.Context()); err != nil {
							t.Fatal(err)
						}
						b.Close()
					}
					<-time.After(10 * time.Minute) // what is stuck is given up first
					synctest.Wait()
					from, suspended := store.suspended[1]
					if done := len(b.finished()) - before; !suspended || from.Ordinal != parked || done != 10 {
						t.Errorf("%d of 10 are let go; suspended %t, from event %d, want %d", done, suspended, from.Ordinal, parked)
					}
				}
			})
		})
	}
}

// TestDeadRowsDoNotSuspend: a hook with any number of dead deliveries gets new events.
func TestDeadRowsDoNotSuspend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		var up atomic.Bool
		o := Options{Store: store, MaxParked: 2000, Retry: Policy{MaxAttempts: 1}}
		b := newBench(t, o, func(*http.Request) (*http.Response, error) {
			if up.Load() {
				return dispatchtest.Answer(200), nil
			}
			return dispatchtest.Answer(500), nil
		}, hostRow(1))
		for n := range 300 {
			b.enqueue(t, 1, n, n+1)
			<-time.After(100 * time.Millisecond)
		}
		check := func() {
			t.Helper()
			if err := b.Recount(t.Context(), store.backlogs); err != nil {
				t.Fatal(err)
			}
			if len(store.suspended) > 0 || b.lanes[1].backlog.suspended || len(store.list(1, state.Dead)) != 300 {
				t.Errorf("%d are dead; suspended %t", len(store.list(1, state.Dead)), b.lanes[1].backlog.suspended)
			}
		}
		check()
		up.Store(true)
		for n := range 10 {
			b.enqueue(t, 1, 300+n, n+1)
			<-time.After(time.Second)
		}
		check()
		if n := len(b.finished()); n != 310 {
			t.Errorf("%d of 310 are done", n)
		}
	})
}

// TestRedriveDoesNotSuspend: a hook gets new events however much a person redrives, and is
// suspended if as much as may be parked comes on top of it. Afterwards the bound is as before.
func TestRedriveDoesNotSuspend(t *testing.T) {
	for _, works := range []bool{true, false} { // the receiver, after the redrive
		synctest.Test(t, func(t *testing.T) {
			const dead = 300
			store, answers := newFakeStore(), newStatuses(500, "h1")
			var batch state.Batch
			for n := range dead {
				e := dispatchtest.Event(n, int64(n+1))
				batch.Insert = append(batch.Insert, state.Row{
					Key: state.Key{Hook: 1, Event: e.ID}, Action: e.Action, Project: e.Project, Task: e.Task, Committed: e.Committed,
					Body: e.Body(e.Action, true), Added: time.Now(), State: state.Dead,
				})
			}
			if err := store.Apply(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			b := newBench(t, Options{Store: store, MaxParked: 20_000}, answers.round, hostRow(1))
			recount := func() {
				t.Helper()
				if err := b.Recount(t.Context(), store.backlogs); err != nil {
					t.Fatal(err)
				}
			}
			recount()
			if works {
				answers.set("h1", 0)
			}
			b.Redriven(store.redrive(1))
			recount()
			b.enqueue(t, 1, dead, 1)
			synctest.Wait()
			if len(store.suspended) > 0 || len(store.list(1, state.Parked)) < 100 {
				t.Errorf("suspended: %v; %d are parked", store.suspended, len(store.list(1, state.Parked)))
			}
			if works {
				<-time.After(time.Hour)
				if n := store.size(); n > 0 {
					t.Errorf("%d are left", n)
				}
				answers.set("h1", 500)
			}
			before := len(store.list(1, state.Parked))
			for n := range 200 {
				b.enqueue(t, 1, dead+1+n, n+1)
				<-time.After(time.Second)
				recount()
			}
			if n := len(store.list(1, state.Parked)) - before; len(store.suspended) == 0 || n < 20 || n > 100 {
				t.Errorf("suspended: %v; %d were parked more", store.suspended, n)
			}
		})
	}
}

// TestBareDeliveriesAreBounded: deliveries without a payload count, too: 256 bytes a row
// and the action.
func TestBareDeliveriesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		b := newBench(t, Options{Store: store, MaxParked: 20 * 256}, newStatuses(500, "h1").round, hostRow(1))
		for n := range 100 {
			e := dispatchtest.Event(n, int64(n+1))
			if err := b.Enqueue(t.Context(), []Delivery{{Target: hook.Target{Hook: 1, Action: e.Action}, Event: e}}); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Second)
		}
		from, suspended := store.suspended[1]
		if n := len(store.list(1, state.Parked)); !suspended || n < 10 || n > 20 || from.Ordinal != n {
			t.Errorf("%d are parked, suspended %t from %d", n, suspended, from.Ordinal)
		}
		if err := b.Recount(t.Context(), store.backlogs); err != nil {
			t.Fatal(err)
		}
		if l := b.lanes[1]; !l.backlog.isFull() {
			t.Errorf("counted anew the room of %d bytes is not taken: %d", l.backlog.max, l.backlog.room())
		}
	})
}
