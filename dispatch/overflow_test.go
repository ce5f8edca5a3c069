package dispatch

import (
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/state"
)

// toBoth enqueues events of that many tasks for hooks 1 and 2.
func toBoth(t *testing.T, b *bench, events int) {
	t.Helper()
	for n := range events {
		e := dispatchtest.Event(n, int64(n+1))
		if err := b.Enqueue(t.Context(), []Delivery{deliveryTo(1, e, nil), deliveryTo(2, e, nil)}); err != nil {
			t.Fatal(err)
		}
	}
}

// Deliveries of a hook that is slower than the stream are parked, and delay no other hook.
func TestSlowHookOverflows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		b := newBench(t, Options{Store: store, MaxBytes: 200_000}, func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == "h1" {
				time.Sleep(800 * time.Millisecond) //nolint:forbidigo // of the bubble
			}
			return dispatchtest.Answer(200), nil
		}, hostRow(1), hostRow(2))
		begun := time.Now()
		toBoth(t, b, 3000)
		b.drain(t)
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("the slow hook kept the other for %s", took)
		}
		if len(store.list(1, state.Parked)) == 0 || len(store.list(2, state.Parked)) != 0 {
			t.Error("the slow hook alone is to be parked")
		}
		time.Sleep(10 * time.Minute) //nolint:forbidigo // of the bubble
		synctest.Wait()
		if n := len(store.list(1, state.Parked)); n != 0 || b.lanes[1].window.tail.open {
			t.Errorf("%d are still parked", n)
		}
	})
}

// A hook that never answers delays no other hook, not even until its requests time out.
func TestSilentHookOverflowsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		b := newBench(t, Options{Store: store, MaxBytes: 200_000}, func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == "h1" {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			<-time.After(time.Millisecond)
			return dispatchtest.Answer(200), nil
		}, hostRow(1), hostRow(2))
		begun := time.Now()
		toBoth(t, b, 3000)
		if took := time.Since(begun); took > 900*time.Millisecond { // the timeout is a second
			t.Errorf("the silent hook kept the other for %s", took)
		}
		synctest.Wait()
		if len(store.list(2, state.Parked)) != 0 {
			t.Error("the silent hook alone is to be parked")
		}
	})
}

// If no hook answers, the machine may be the cause: nothing is stored until that is known.
func TestSilenceOfAllIsNoHooksFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		b := newBench(t, Options{Store: store, MaxBytes: 200_000}, func(*http.Request) (*http.Response, error) {
			time.Sleep(700 * time.Millisecond) //nolint:forbidigo // of the bubble
			return dispatchtest.Answer(200), nil
		}, hostRow(1), hostRow(2))
		toBoth(t, b, 500)
		b.drain(t)
		if n := store.writes(); n != 0 {
			t.Errorf("%d deliveries were stored", n)
		}
	})
}

// A fast receiver may pause: without another hook to compare it with, nothing is stored.
func TestPauseOfAllIsNoHooksFault(t *testing.T) {
	for _, hooks := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) {
			store := newFakeStore()
			begun := time.Now()
			rows := []dispatchtest.Row{hostRow(1), hostRow(2)}
			b := newBench(t, Options{Store: store, MaxBytes: 200_000}, func(*http.Request) (*http.Response, error) {
				takes := 5 * time.Millisecond
				if at := time.Since(begun); at > 300*time.Millisecond && at < 800*time.Millisecond {
					takes = 800*time.Millisecond - at
				}
				<-time.After(takes)
				return dispatchtest.Answer(200), nil
			}, rows[:hooks]...)
			if hooks == 2 {
				toBoth(t, b, 3000)
			} else {
				for n := range 3000 {
					b.enqueue(t, 1, n, n+1)
				}
			}
			b.drain(t)
			if n := store.writes(); n != 0 {
				t.Errorf("%d hooks: %d deliveries were stored", hooks, n)
			}
		})
	}
}

// A slow hook with few events holds the slot only until other hooks show that the machine
// is not the cause; a single hook holds it a little longer.
func TestSlowHookDoesNotHoldTheSlot(t *testing.T) {
	for _, tt := range []struct {
		name   string
		others bool
		within time.Duration
	}{
		{"beside another", true, heldAfter + 3*time.Second},
		{"alone", false, slotPatience + 3*time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newFakeStore()
				b := newBench(t, Options{Store: store, Concurrency: 1}, func(r *http.Request) (*http.Response, error) {
					if r.URL.Host == "h1" {
						time.Sleep(900 * time.Millisecond) //nolint:forbidigo // of the bubble
					}
					return dispatchtest.Answer(200), nil
				}, hostRow(1), hostRow(2))
				const events = 400
				var held atomic.Int64
				for n := range events {
					e, at := dispatchtest.Event(n, int64(n+1)), time.Now()
					ds := []Delivery{deliveryTo(1, e, func() {
						if d := int64(time.Since(at)); d > held.Load() {
							held.Store(d)
						}
					})}
					if tt.others {
						ds = append(ds, deliveryTo(2, e, nil))
					}
					if err := b.Enqueue(t.Context(), ds); err != nil {
						t.Fatal(err)
					}
					time.Sleep(500 * time.Millisecond) //nolint:forbidigo // of the bubble
				}
				b.drain(t)
				if longest := time.Duration(held.Load()); longest > tt.within {
					t.Errorf("the slot was held for %s, want at most %s", longest, tt.within)
				}
				if len(store.list(1, state.Parked)) == 0 || len(store.list(2, state.Parked)) != 0 {
					t.Error("the slow hook alone is to be parked")
				}
				time.Sleep(10 * time.Minute) //nolint:forbidigo // of the bubble
				synctest.Wait()
				if n := len(store.list(1, state.Parked)); n != 0 || b.lanes[1].window.tail.open {
					t.Errorf("%d are still parked", n)
				}
			})
		})
	}
}

// TestReliefAllocatesNothing: the relief looks at every lane each second, and twenty times a
// second while the memory is full.
func TestReliefAllocatesNothing(t *testing.T) {
	const hooks = 100
	rows := make([]dispatchtest.Row, hooks)
	for i := range rows {
		rows[i] = hostRow(int64(i + 1))
	}
	b := newBench(t, Options{Store: newFakeStore()}, func(*http.Request) (*http.Response, error) { return dispatchtest.Answer(200), nil }, rows...)
	for i := range rows {
		b.enqueue(t, int64(i+1), i, 1)
	}
	b.drain(t)
	if n := testing.AllocsPerRun(100, relief{b.Dispatcher}.relieve); n > 0 {
		t.Errorf("%v allocations for %d lanes", n, hooks)
	}
}
