package dispatch

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
)

// statuses answers for each hook, by its host, with a status that may change: 200 if it
// has none, no answer if it is refused.
type statuses struct {
	mu     sync.Mutex
	byHost map[string]int
}

const refused = -1

func newStatuses(status int, hosts ...string) *statuses {
	s := &statuses{byHost: make(map[string]int)}
	for _, host := range hosts {
		s.byHost[host] = status
	}
	return s
}

func (s *statuses) set(host string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byHost[host] = status
}

func (s *statuses) round(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch status := s.byHost[r.URL.Host]; status {
	case 0:
		return dispatchtest.Answer(200), nil
	case refused:
		return nil, syscall.ECONNREFUSED
	default:
		return dispatchtest.Answer(status), nil
	}
}

func hostRow(id int64) dispatchtest.Row {
	return dispatchtest.HookRow(id, "http://h"+strconv.FormatInt(id, 10)+"/")
}

// A hook that always fails delays neither the slot nor another hook.
func TestDeadHookIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		answers := newStatuses(503, "h1")
		m := NewMetrics(nil)
		b := newBench(t, Options{Store: store, MaxBytes: 100_000, Metrics: m}, answers.round, hostRow(1), hostRow(2))
		begun := time.Now()
		const many = 5000
		for n := range many {
			e := dispatchtest.Event(n, int64(n%50))
			if err := b.Enqueue(t.Context(), []Delivery{deliveryTo(1, e, nil), deliveryTo(2, e, nil)}); err != nil {
				t.Fatal(err)
			}
		}
		b.drain(t)
		if took := time.Since(begun); took > 30*time.Second {
			t.Errorf("the dead hook kept the others for %s", took)
		}
		if n := len(store.list(1, state.Parked)); n != many || len(store.list(2, state.Parked)) != 0 {
			t.Errorf("%d are parked", n)
		}
		l := b.lanes[1]
		l.mu.Lock()
		size := l.window.agenda.schedule.size
		l.mu.Unlock()
		if size > b.windows.most() || b.Bytes() != 0 {
			t.Errorf("%d in the window, %d bytes", size, b.Bytes())
		}
		if n := m.shown(t, "hooktail_parked", "1"); n != many {
			t.Errorf("hooktail_parked = %v", n)
		}
		answers.set("h1", 200)
		apply(t, b.hooks, hook.RowChange{Table: hook.Webhook, Row: hostRow(1)})
		time.Sleep(time.Minute) //nolint:forbidigo // of the bubble
		synctest.Wait()
		if n := len(store.list(1, state.Parked)); n != 0 {
			t.Errorf("%d are still parked", n)
		}
		if w := b.lanes[1].window; w.tail.open || w.agenda.schedule.size != 0 || len(w.agenda.schedule.projects) != 0 {
			t.Errorf("the lane is not empty: tail %t, %d", w.tail.open, w.agenda.schedule.size)
		}
		if n := m.shown(t, "hooktail_parked", "1"); n != 0 {
			t.Errorf("hooktail_parked = %v", n)
		}
	})
}

// An event that its receiver refuses delays only its own task.
func TestPoisonedEventHoldsItsTaskOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		poison := ids(0, 0)[0]
		b := newBench(t, Options{Store: store}, func(r *http.Request) (*http.Response, error) {
			if r.Header["webhook-id"][0] == poison { //nolint:staticcheck // written as on the wire
				return dispatchtest.Answer(500), nil
			}
			return dispatchtest.Answer(200), nil
		}, dispatchtest.HookRow(1, "http://x/"))
		for n := range 300 {
			b.enqueue(t, 1, n, n%10+1)
			time.Sleep(10 * time.Millisecond) //nolint:forbidigo // of the bubble
		}
		time.Sleep(time.Minute) //nolint:forbidigo // of the bubble
		synctest.Wait()
		var want []int
		for n := 0; n < 300; n += 10 {
			want = append(want, n)
		}
		if got := events(store.list(1, state.Parked)); !slices.Equal(got, want) {
			t.Errorf("parked %v", got)
		}
		if len(b.finished()) != 300 {
			t.Errorf("%d are done", len(b.finished()))
		}
	})
}

// Hooks that are equally fast share the room: nothing is written.
func TestHealthyHooksWriteNothing(t *testing.T) {
	for _, hooks := range []int64{1, 10} {
		t.Run(strconv.FormatInt(hooks, 10), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newFakeStore()
				var rows []dispatchtest.Row
				for hook := int64(1); hook <= hooks; hook++ {
					rows = append(rows, hostRow(hook))
				}
				b := newBench(t, Options{Store: store, MaxBytes: 1 << 20}, func(*http.Request) (*http.Response, error) {
					time.Sleep(50 * time.Millisecond) //nolint:forbidigo // of the bubble
					return dispatchtest.Answer(200), nil
				}, rows...)
				for n := range 5000 {
					var ds []Delivery
					for hook := int64(1); hook <= hooks; hook++ {
						ds = append(ds, deliveryTo(hook, dispatchtest.Event(n, int64(n+1)), nil))
						ds[hook-1].Event = ds[0].Event
					}
					if err := b.Enqueue(t.Context(), ds); err != nil {
						t.Fatal(err)
					}
				}
				b.drain(t)
				if store.writes() != 0 || store.applied != 0 {
					t.Errorf("%d rows were written", store.writes())
				}
			})
		})
	}
}

// Dead deliveries are kept, with the reason, and redriven in order.
func TestDeadIsKept(t *testing.T) {
	for _, tt := range []struct {
		name   string
		hook   dispatchtest.Row
		status int
		policy Policy
		reason Reason
	}{
		{"rejected", hostRow(1), 422, Policy{}, ReasonRejected},
		{"gone", hostRow(1), 410, Policy{}, ReasonGone},
		{"once", hostRow(1), 500, Policy{MaxAttempts: 1}, ReasonExhausted},
		{"exhausted", hostRow(1), 500, Policy{MaxAttempts: 6}, ReasonExhausted},
		{"too old", hostRow(1), 500, Policy{RetryFor: time.Hour}, ReasonExhausted},
		{"bad url", dispatchtest.HookRow(1, "ftp://h1/"), 200, Policy{}, ReasonBadURL},
		{"bad headers", hostRow(1).With("headers", `{"Host": "x"}`), 200, Policy{}, ReasonBadHeaders},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newFakeStore()
				answers := newStatuses(tt.status, "h1")
				m := NewMetrics(nil)
				b := newBench(t, Options{Store: store, Retry: tt.policy, Metrics: m}, answers.round, tt.hook)
				b.enqueue(t, 1, 1, 1)
				b.enqueue(t, 1, 2, 1)
				time.Sleep(3 * time.Hour) //nolint:forbidigo // of the bubble
				synctest.Wait()
				rows := store.list(1, state.Dead)
				if len(rows) != 2 || rows[0].Reason != tt.reason.String() || rows[0].Body.Len() == 0 {
					t.Fatalf("dead: %+v", rows)
				}
				if len(b.finished()) != 2 || m.shown(t, "hooktail_dead", "1") != 2 || m.shown(t, "hooktail_parked", "1") != 0 {
					t.Errorf("%d are done", len(b.finished()))
				}
				answers.set("h1", 200)
				apply(t, b.hooks, hook.RowChange{Table: hook.Webhook, Row: hostRow(1).With("headers", `{"X-Mended": "1"}`)})
				b.Redriven(store.redrive(1))
				time.Sleep(time.Minute) //nolint:forbidigo // of the bubble
				synctest.Wait()
				if n := store.size(); n != 0 {
					t.Errorf("%d rows are left", n)
				}
			})
		})
	}
}

// A hook whose parked rows reach the bound is suspended, and the log says so.
func TestSuspension(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		m := NewMetrics(nil)
		answers := newStatuses(500, "h1")
		b := newBench(t, Options{Store: store, MaxParked: 2000, Metrics: m}, answers.round, hostRow(1))
		for n := range 200 {
			b.enqueue(t, 1, n, n+1)
			time.Sleep(100 * time.Millisecond) //nolint:forbidigo // of the bubble
		}
		rows := store.list(1, state.Parked)
		from, suspended := store.suspended[1]
		if !suspended || from.Ordinal != len(rows) || len(b.finished()) != 200 {
			t.Errorf("%d parked, suspended %t from %d", len(rows), suspended, from.Ordinal)
		}
		if n := m.shown(t, "hooktail_deliveries_total", "ANNOTATION_UPDATED", "1", "dead"); int(n) != 200-len(rows) {
			t.Errorf("%v dead of %d", n, 200-len(rows))
		}
		if !strings.Contains(b.log.String(), "Webhook suspended") || m.shown(t, "hooktail_hook_state", "1") != float64(StateSuspended) {
			t.Errorf("nothing says so")
		}
		answers.set("h1", 200)
		apply(t, b.hooks, hook.RowChange{Table: hook.Webhook, Row: hostRow(1)})
		b.Settings(nil)         // resumed
		time.Sleep(time.Minute) //nolint:forbidigo // of the bubble
		synctest.Wait()
		b.enqueue(t, 1, 300, 1)
		b.drain(t)
		synctest.Wait()
		if store.size() != 0 || b.lanes[1].backlog.suspended {
			t.Errorf("%d rows after it was resumed", store.size())
		}
	})
}

// TestDiscardedIsCountedOnce: parked deliveries that a person discards are not subtracted
// again when their turn comes.
func TestDiscardedIsCountedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, answers, m := newFakeStore(), newStatuses(503, "h1"), NewMetrics(nil)
		b := newBench(t, Options{Store: store, Metrics: m, MaxParked: 1 << 20}, answers.round, hostRow(1))
		for n := range 20 {
			b.enqueue(t, 1, n, n+1)
		}
		b.drain(t)
		for _, row := range store.list(1, state.Parked)[:10] {
			if err := store.Apply(t.Context(), state.Batch{Delete: []state.Key{row.Key}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Recount(t.Context(), store.backlogs); err != nil {
			t.Fatal(err)
		}
		answers.set("h1", 200)
		b.Retry(1)
		<-time.After(time.Minute)
		synctest.Wait()
		if n, o := m.shown(t, "hooktail_parked", "1"), b.Overview()[0]; n != 0 || o.Parked != 0 || o.Bytes != 0 || store.size() != 0 {
			t.Errorf("hooktail_parked = %v, %d parked, %d bytes; %d rows", n, o.Parked, o.Bytes, store.size())
		}
	})
}

// At the end, deliveries that wait for another attempt are stored immediately, requests in
// flight end, and nothing is left unfinished.
func TestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		b := newBench(t, Options{Store: store, Concurrency: 2}, func(r *http.Request) (*http.Response, error) {
			if r.Header["webhook-id"][0] == ids(0, 0)[0] { //nolint:staticcheck // written as on the wire
				return dispatchtest.Answer(500), nil
			}
			time.Sleep(900 * time.Millisecond) //nolint:forbidigo // of the bubble
			return dispatchtest.Answer(200), nil
		}, hostRow(1))
		for n := range 10 {
			b.enqueue(t, 1, n, n+1)
		}
		time.Sleep(100 * time.Millisecond) //nolint:forbidigo // of the bubble
		b.Hasten()
		grace, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		if b.Drain(grace) == nil {
			t.Error("drained before its time")
		}
		if err := b.Park(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(b.finished()) != 10 {
			t.Errorf("%d are done", len(b.finished()))
		}
		b.Close()
		if got := events(store.list(1, state.Parked)); len(got) > 8 || !slices.Contains(got, 0) {
			t.Errorf("parked %v", got)
		}
	})
}
