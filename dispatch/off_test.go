package dispatch

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/dispatch/state"
)

// TestSwitchedOffHookHolds: all deliveries of a hook that is switched off are stored and
// counted, and continue in order when it is switched on again. Meanwhile nothing is lost or
// sent, also over restarts.
func TestSwitchedOffHookHolds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		events := rapid.IntRange(1, 150).Draw(rt, "events")
		tasks := rapid.IntRange(1, 12).Draw(rt, "tasks")
		status := rapid.SampledFrom([]int{200, 500, 429}).Draw(rt, "status")
		pause := rapid.SampledFrom([]time.Duration{0, time.Second, time.Hour}).Draw(rt, "pause")
		late := rapid.IntRange(0, 20).Draw(rt, "late")
		restart := rapid.Bool().Draw(rt, "restart")
		synctest.Test(t, func(t *testing.T) {
			store, answers, hooks := newFakeStore(), newStatuses(status, "h1"), newTestHooks(t, hostRow(1))
			var sent []string
			start := func() *Dispatcher {
				sender := send.New(send.Options{Transport: dispatchtest.Transport(func(r *http.Request) (*http.Response, error) {
					a, err := answers.round(r)
					switch {
					case err != nil:
					case a.StatusCode == 429:
						a.Header.Set("Retry-After", "3600")
					case a.StatusCode == 200:
						sent = append(sent, r.Header.Get("Idempotency-Key"))
					}
					return a, err
				})})
				d := New(Options{Hooks: hooks, Sender: sender, Store: store, Concurrency: 1, Log: (&dispatchtest.Log{}).Logger()})
				backlogs, _ := store.backlogs(t.Context())
				d.Restore(backlogs, nil)
				return d
			}
			d := start()
			defer func() { d.Close() }()
			enqueue := func(n int) {
				if err := d.Enqueue(t.Context(), []Delivery{deliveryTo(1, dispatchtest.Event(n, int64(n%tasks+1)), nil)}); err != nil {
					t.Fatal(err)
				}
			}
			for n := range events {
				enqueue(n)
			}
			<-time.After(pause)
			apply(t, hooks, hook.RowChange{Table: hook.Webhook, Row: hostRow(1).With("is_active", "f")})
			for n := range late {
				enqueue(events + n) // matched before, rendered after
			}
			<-time.After(2 * time.Second)
			before := len(sent)
			soon, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := d.Drain(soon); err != nil {
				t.Errorf("the slot waits for a hook that is switched off: %v", err)
			}
			if restart {
				d.Close()
				d = start()
			}
			<-time.After(time.Hour)
			held := len(store.list(1, state.Parked))
			if len(sent) != before || before+held != events+late {
				t.Errorf("%d were sent before, %d are held, %d were sent after; want %d in all", before, held, len(sent)-before, events+late)
			}
			o := d.Overview()[0]
			if o.State != StateInactive || held > 0 && o.Parked != held {
				t.Errorf("state %s, %d parked, want inactive, %d", o.State, o.Parked, held)
			}
			answers.set("h1", 200)
			apply(t, hooks, hook.RowChange{Table: hook.Webhook, Row: hostRow(1)})
			<-time.After(time.Minute)
			synctest.Wait()
			if store.size() != 0 || len(sent) != events+late {
				t.Errorf("after it is on: %d sent, %d stored, want %d and none", len(sent), store.size(), events+late)
			}
			last := make(map[string]int)
			for i, id := range sent {
				last[id] = i
			}
			for n := range events + late {
				for m := range n {
					if m%tasks == n%tasks && last[ids(m, m)[0]] > last[ids(n, n)[0]] {
						t.Errorf("event %d came after %d", m, n)
					}
				}
			}
		})
	})
}

// TestSwitchedOffForTooLong: after RetryFor, held deliveries are dead with that reason, and
// can be redriven.
func TestSwitchedOffForTooLong(t *testing.T) {
	for _, events := range []int{1, 300} {
		t.Run(strconv.Itoa(events), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, c := newFakeStore(), newCalls()
				b := newBench(t, Options{Store: store, Retry: Policy{RetryFor: 24 * time.Hour}}, func(r *http.Request) (*http.Response, error) {
					c.note(r)
					return dispatchtest.Answer(200), nil
				}, hostRow(1))
				apply(t, b.hooks, hook.RowChange{Table: hook.Webhook, Row: hostRow(1).With("is_active", "f")})
				for n := range events {
					b.enqueue(t, 1, n, n%7)
				}
				<-time.After(23 * time.Hour)
				if n := len(store.list(1, state.Parked)); n != events {
					t.Errorf("after 23 h %d of %d are parked", n, events)
				}
				<-time.After(2 * time.Hour)
				synctest.Wait()
				rows := store.list(1, state.Dead)
				if len(rows) != events || rows[0].Reason != "switched_off" {
					t.Fatalf("after 25 h %d of %d are dead", len(rows), events)
				}
				apply(t, b.hooks, hook.RowChange{Table: hook.Webhook, Row: hostRow(1)})
				b.Redriven(store.redrive(1))
				<-time.After(time.Minute)
				synctest.Wait()
				if n := len(c.all()); n != events || store.size() != 0 {
					t.Errorf("%d sent, %d rows left", n, store.size())
				}
			})
		})
	}
}

// TestOffAndOnWhileCatchingUp: the stream shows that a hook was briefly off; deliveries
// enqueued before, between and after are made.
func TestOffAndOnWhileCatchingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, c := newFakeStore(), newCalls()
		b := newBench(t, Options{Store: store}, func(r *http.Request) (*http.Response, error) {
			<-time.After(20 * time.Millisecond)
			c.note(r)
			return dispatchtest.Answer(200), nil
		}, hostRow(1))
		var want []string
		for n := range 200 {
			if n%50 == 25 {
				apply(t, b.hooks, hook.RowChange{Table: hook.Webhook, Row: hostRow(1).With("is_active", "f")})
			}
			if n%50 == 40 {
				apply(t, b.hooks, hook.RowChange{Table: hook.Webhook, Row: hostRow(1)})
			}
			b.enqueue(t, 1, n, 1)
			want = append(want, ids(n, n)[0])
		}
		<-time.After(time.Minute)
		var got []string
		for _, call := range c.all() {
			got = append(got, call.event)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// TestSwitchedOffHasAllItsTime: deliveries that had been retried for long when their hook
// was switched off are held for RetryFor from then on, with restarts at most twice as long.
func TestSwitchedOffHasAllItsTime(t *testing.T) {
	const day = 24 * time.Hour
	for _, tt := range []struct {
		name     string
		tried    time.Duration   // before the hook is switched off
		restarts []time.Duration // after it is switched off
		held     time.Duration   // since it was switched off
	}{
		{"tried for long", 20 * time.Hour, nil, day},
		{"new", 0, nil, day},
		{"restarted", 20 * time.Hour, []time.Duration{10 * time.Hour}, 28 * time.Hour},
		{"restarted often", 20 * time.Hour, []time.Duration{time.Hour, 10 * time.Hour, 20 * time.Hour, 26 * time.Hour}, 28 * time.Hour},
		{"new, restarted", 0, []time.Duration{10 * time.Hour}, 34 * time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, hooks := newFakeStore(), newTestHooks(t, hostRow(1))
				start := func() *Dispatcher {
					d := New(Options{
						Hooks: hooks, Sender: send.New(send.Options{Transport: dispatchtest.Transport(newStatuses(500, "h1").round)}),
						Store: store, Retry: Policy{RetryFor: day}, Log: (&dispatchtest.Log{}).Logger(),
					})
					backlogs, _ := store.backlogs(t.Context())
					d.Restore(backlogs, nil)
					return d
				}
				d := start()
				defer func() { d.Close() }()
				if err := d.Enqueue(t.Context(), []Delivery{deliveryTo(1, dispatchtest.Event(1, 1), nil)}); err != nil {
					t.Fatal(err)
				}
				<-time.After(tt.tried)
				apply(t, hooks, hook.RowChange{Table: hook.Webhook, Row: hostRow(1).With("is_active", "f")})
				off := time.Now()
				for _, at := range tt.restarts {
					<-time.After(time.Until(off.Add(at)))
					d.Close()
					d = start()
				}
				<-time.After(time.Until(off.Add(tt.held - time.Minute)))
				if n := len(store.list(1, state.Parked)); n != 1 {
					t.Errorf("%d are held a minute before the end", n)
				}
				<-time.After(2 * time.Minute)
				synctest.Wait()
				if rows := store.list(1, state.Dead); len(rows) != 1 || rows[0].Reason != "switched_off" {
					t.Errorf("dead: %+v", rows)
				}
			})
		})
	}
}
