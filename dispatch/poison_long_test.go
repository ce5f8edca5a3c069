//go:build long

package dispatch

import (
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/send"
)

// TestPoisonedIsNotFailing: while some tasks are refused, on a quiet or a busy hook, an
// event of any other task is attempted within 10 s and delivered within 60 s. The recovery
// of a hook that was down is noticed within 10 s of an event.
func TestPoisonedIsNotFailing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		poisoned := rapid.IntRange(1, 5).Draw(rt, "poisoned")
		var kinds []string
		for range poisoned {
			kinds = append(kinds, rapid.SampledFrom(fates).Draw(rt, "fate"))
		}
		quiet := rapid.SampledFrom([]time.Duration{0, time.Second, time.Minute, 10 * time.Minute, 3 * time.Hour}).Draw(rt, "before")
		gap := rapid.SampledFrom([]time.Duration{10 * time.Millisecond, 100 * time.Millisecond, time.Second, 20 * time.Second, 10 * time.Minute, time.Hour}).Draw(rt, "gap")
		events := rapid.IntRange(1, 200).Draw(rt, "events")
		outage := rapid.SampledFrom([]time.Duration{0, 0, 5 * time.Second, 2 * time.Minute, 2 * time.Hour}).Draw(rt, "outage")
		restart := rapid.Bool().Draw(rt, "restart")
		again := rapid.IntRange(0, 3).Draw(rt, "again") // events of poisoned tasks among the others
		synctest.Test(t, func(t *testing.T) {
			p, store, hooks := newPoison(), newFakeStore(), newTestHooks(t, dispatchtest.HookRow(1, "http://x/"))
			start := func() *Dispatcher {
				d := New(Options{
					Hooks: hooks, Sender: send.New(send.Options{Transport: dispatchtest.Transport(p.round)}),
					Store: store, Log: (&dispatchtest.Log{}).Logger(),
				})
				backlogs, _ := store.backlogs(t.Context())
				d.Restore(backlogs, nil)
				return d
			}
			d := start()
			defer func() { d.Close() }()
			n := 0
			send := func(task int64) string {
				n++
				return p.send(t, d, n, task)
			}
			for i, fate := range kinds {
				p.set(int64(1000+i), fate)
				send(int64(1000 + i))
			}
			<-time.After(quiet)
			var good []string
			for i := range events {
				if i < again {
					send(int64(1000 + i%poisoned))
				}
				good = append(good, send(int64(i%50+1)))
				<-time.After(gap)
				if i == events/2 && outage > 0 {
					<-time.After(time.Minute)
					p.turn(true)
					down := send(500)
					<-time.After(outage)
					p.turn(false)
					back := send(501)
					<-time.After(time.Minute)
					if took, ok := p.waited(back); !ok || took > 10*time.Second {
						rt.Errorf("after an outage of %s an event took %s, %t", outage, took, ok)
					}
					if _, ok := p.waited(down); !ok {
						rt.Errorf("an event of the outage did not arrive within a minute of its end")
					}
				}
				if i == events/3 && restart {
					d.Hasten()
					if err := d.Park(t.Context()); err != nil {
						t.Fatal(err)
					}
					d.Close()
					d = start()
				}
			}
			<-time.After(time.Minute)
			for i, id := range good {
				p.mu.Lock()
				first := p.first[id].Sub(p.made[id])
				p.mu.Unlock()
				if took, ok := p.waited(id); !ok || took > time.Minute || first > 10*time.Second {
					rt.Fatalf("good event %d of %d: attempted after %s, arrived %t after %s", i, len(good), first, ok, took)
				}
			}
			if got := store.size(); got != poisoned+min(again, events) {
				rt.Errorf("%d are parked or dead, want %d", got, poisoned+min(again, events))
			}
		})
	})
}
