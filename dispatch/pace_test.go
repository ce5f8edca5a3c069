package dispatch

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
)

// rateRow returns a change of hook 1's rate.
func rateRow(rate string) hook.RowChange {
	return hook.RowChange{Table: hook.HookSetting, Row: dispatchtest.Row{"hook_id": "1", "adopted": "f", "rate": rate}}
}

// TestRateSpreadsRequests: requests exceed the rate by at most one second's worth,
// whatever their results, and are not slower either.
func TestRateSpreadsRequests(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rate := rapid.SampledFrom([]string{"1/s", "3/s", "10/s", "250/s", "7/m", "600/m", "1000/h"}).Draw(rt, "rate")
		limit, err := hook.ParseRate(rate)
		if err != nil {
			rt.Fatal(err)
		}
		events := rapid.IntRange(1, 60).Draw(rt, "events")
		fails := rapid.IntRange(0, 5).Draw(rt, "fails")
		pauses := rapid.SliceOfN(rapid.SampledFrom([]time.Duration{0, 0, time.Millisecond, time.Second, time.Hour}), events, events).Draw(rt, "pauses")
		synctest.Test(t, func(t *testing.T) {
			c := newCalls()
			b := newBench(t, Options{}, func(r *http.Request) (*http.Response, error) {
				if c.note(r) <= fails {
					return dispatchtest.Answer(503), nil
				}
				return dispatchtest.Answer(200), nil
			}, dispatchtest.HookRow(1, "http://x/"), dispatchtest.HookRow(2, "http://x/"))
			apply(t, b.hooks, rateRow(rate))
			for n, pause := range pauses {
				time.Sleep(pause) //nolint:forbidigo // of the bubble
				b.enqueue(t, 1, n, n+1)
			}
			b.drain(t)
			list := c.all()
			if len(list) < events {
				rt.Fatalf("%d attempts", len(list))
			}
			burst := burstOf(limit)
			for i := range list {
				for j := i; j < len(list); j++ {
					span := list[j].at - list[i].at
					if most := float64(burst) + span.Seconds()*limit.PerSecond(); float64(j-i+1) > most+0.01 {
						rt.Fatalf("%s: %d requests within %s", rate, j-i+1, span)
					}
				}
			}
			if last := list[len(list)-1].at; fails == 0 {
				arrived, slowest := time.Duration(0), time.Duration(0)
				for n, pause := range pauses {
					arrived += pause
					left := time.Duration(float64(len(pauses)-n) / limit.PerSecond() * float64(time.Second))
					slowest = max(slowest, arrived+left)
				}
				if last > slowest+time.Second {
					rt.Fatalf("%s: the last request after %s, not %s", rate, last, slowest)
				}
			}
		})
	})
}

// TestRateParksAndDelaysNobody: deliveries above the rate wait, and are parked like those
// of any slow hook. Other hooks are not affected, and everything is sent.
func TestRateParksAndDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		sent := map[string]int{}
		c := newCalls()
		b := newBench(t, Options{Store: store, MaxBytes: 200_000}, func(r *http.Request) (*http.Response, error) {
			c.note(r)
			c.mu.Lock()
			defer c.mu.Unlock()
			sent[r.URL.Host]++
			return dispatchtest.Answer(200), nil
		}, hostRow(1), hostRow(2))
		sentTo := func(host string) int {
			c.mu.Lock()
			defer c.mu.Unlock()
			return sent[host]
		}
		apply(t, b.hooks, rateRow("10/s"))
		begun := time.Now()
		toBoth(t, b, 3000)
		b.drain(t)
		if took := time.Since(begun); took > 15*time.Second {
			t.Errorf("the slot waits for the rate of a hook for %s", took)
		}
		if len(store.list(1, state.Parked)) == 0 || len(store.list(2, state.Parked)) != 0 || sentTo("h2") != 3000 {
			t.Errorf("%d and %d parked, %d sent to the other", len(store.list(1, state.Parked)), len(store.list(2, state.Parked)), sentTo("h2"))
		}
		time.Sleep(310*time.Second - time.Since(begun)) //nolint:forbidigo // of the bubble
		synctest.Wait()
		if sentTo("h1") != 3000 || len(store.list(1, state.Parked)) != 0 {
			t.Errorf("%d sent after %s, %d are parked", sentTo("h1"), time.Since(begun), len(store.list(1, state.Parked)))
		}
	})
}

// TestRateChangesAtOnce: a new rate also applies to deliveries that already wait.
func TestRateChangesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCalls()
		b := newBench(t, Options{}, func(r *http.Request) (*http.Response, error) {
			c.note(r)
			return dispatchtest.Answer(200), nil
		}, dispatchtest.HookRow(1, "http://x/"))
		apply(t, b.hooks, rateRow("1/h"))
		for n := range 20 {
			b.enqueue(t, 1, n, n+1)
		}
		after := func(wait time.Duration, want int) {
			t.Helper()
			time.Sleep(wait) //nolint:forbidigo // of the bubble
			synctest.Wait()
			if n := len(c.all()); n != want {
				t.Errorf("%d requests, want %d", n, want)
			}
		}
		after(time.Minute, 1)
		apply(t, b.hooks, rateRow("1/s"))
		after(10*time.Second+100*time.Millisecond, 11)
		apply(t, b.hooks, rateRow(dispatchtest.Null))
		after(0, 20)
	})
}
