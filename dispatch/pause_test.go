package dispatch

import (
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// A paused hook gets nothing; everything is sent when the pause ends.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFakeStore()
		c := newCalls()
		b := newBench(t, Options{Store: store}, func(r *http.Request) (*http.Response, error) {
			c.note(r)
			return dispatchtest.Answer(200), nil
		}, hostRow(1))
		b.Settings([]state.Setting{{Hook: 1, Paused: true}})
		for n := range 3000 {
			b.enqueue(t, 1, n, n%7)
		}
		b.drain(t)
		if len(c.all()) != 0 || len(store.list(1, state.Parked)) != 3000 {
			t.Errorf("%d sent, %d parked", len(c.all()), store.size())
		}
		b.Settings(nil)
		time.Sleep(time.Minute) //nolint:forbidigo // of the bubble
		synctest.Wait()
		if len(c.all()) != 3000 || store.size() != 0 {
			t.Errorf("%d sent, %d parked", len(c.all()), store.size())
		}
	})
}

// TestPauseTakesNoTime: however long a hook was paused, its deliveries are retried for the
// whole time after it is resumed, even if its receiver does not work yet.
func TestPauseTakesNoTime(t *testing.T) {
	const retryFor, many = 72 * time.Hour, 100
	for _, down := range []time.Duration{time.Hour, 2 * retryFor} { // after the hook is resumed
		synctest.Test(t, func(t *testing.T) {
			store, answers := newFakeStore(), newStatuses(503, "h1")
			b := newBench(t, Options{Store: store, Retry: Policy{RetryFor: retryFor}}, answers.round, hostRow(1))
			b.Settings([]state.Setting{{Hook: 1, Paused: true}})
			for n := range many {
				b.enqueue(t, 1, n, n+1)
			}
			b.drain(t)
			<-time.After(2 * retryFor)
			b.Settings(nil)
			<-time.After(down)
			if n := len(store.list(1, state.Dead)); n > 0 && down < retryFor {
				t.Errorf("%d are dead %s after the pause", n, down)
			} else if n != many && down > retryFor {
				t.Errorf("%d of %d are dead %s after the pause", n, many, down)
			}
			answers.set("h1", 200)
			<-time.After(time.Hour)
			synctest.Wait()
			if n := len(store.list(1, state.Parked)); n > 0 {
				t.Errorf("%d are still parked", n)
			}
		})
	}
}

// TestPauseTakesNoTimeAfterARestart: a hook was resumed after a long pause, and then hooktail
// was restarted. Its deliveries still have the whole time since it was resumed.
func TestPauseTakesNoTimeAfterARestart(t *testing.T) {
	const retryFor, resumed = 72 * time.Hour, 10 * time.Hour
	for _, ago := range []time.Duration{0, resumed} { // 0: it was never resumed
		synctest.Test(t, func(t *testing.T) {
			store := newFakeStore()
			e := committed(1, 7)
			row := state.Row{
				Key: state.Key{Hook: 1, Event: e.ID}, Action: e.Action, Project: 1, Task: 7, Committed: e.Committed,
				Body: mapping.BodyOf([]byte("{}")), Attempts: 4, Added: time.Now().Add(-2 * retryFor), State: state.Parked,
			}
			if err := store.Apply(t.Context(), state.Batch{Insert: []state.Row{row}}); err != nil {
				t.Fatal(err)
			}
			b := newBench(t, Options{Store: store, Retry: Policy{RetryFor: retryFor}}, newStatuses(503, "h1").round, hostRow(1))
			backlogs, _ := store.backlogs(t.Context())
			setting := state.Setting{Hook: 1}
			if ago > 0 {
				setting.Retried, setting.Ago = time.Now().Add(-ago), ago
			}
			b.Restore(backlogs, []state.Setting{setting})
			const wait = time.Hour
			<-time.After(retryFor - resumed - wait)
			if n := len(store.list(1, state.Dead)); (n == 0) != (ago > 0) {
				t.Errorf("%d are dead %s before the end of their time since the hook was resumed %s before", n, wait, ago)
			}
			<-time.After(2 * wait)
			if n := len(store.list(1, state.Dead)); n != 1 {
				t.Errorf("%d are dead afterwards", n)
			}
		})
	}
}

// TestPauseOutlivesTheHook: a hook that is deleted and inserted again, as when its table is
// restored, is still paused.
func TestPauseOutlivesTheHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, c, m := newFakeStore(), newCalls(), NewMetrics(nil)
		b := newBench(t, Options{Store: store, Metrics: m}, func(r *http.Request) (*http.Response, error) {
			c.note(r)
			return dispatchtest.Answer(200), nil
		}, hostRow(1), hostRow(2))
		settings := []state.Setting{{Hook: 1, Paused: true}, {Hook: 2, Suspended: time.Now(), SuspendedLSN: "0/1"}}
		b.Settings(settings)
		for n := range 3 {
			for id := int64(1); id < 3; id++ {
				b.enqueue(t, id, 2*n+int(id), n)
			}
			synctest.Wait()
			apply(t, b.hooks, deleteRow(hook.Webhook, 1), deleteRow(hook.Webhook, 2))
			<-time.After(time.Second)
			apply(t, b.hooks, hook.RowChange{Table: hook.Webhook, Row: hostRow(1)}, hook.RowChange{Table: hook.Webhook, Row: hostRow(2)})
		}
		b.enqueue(t, 1, 10, 1)
		b.enqueue(t, 2, 11, 1)
		<-time.After(time.Second)
		for i, want := range []State{StatePaused, StateSuspended} {
			if got, shown := b.Overview()[i].State, m.shown(t, "hooktail_hook_state", strconv.Itoa(i+1)); got != want || shown != float64(want) {
				t.Errorf("hook %d is %s, hooktail_hook_state = %v, want %s", i+1, got, shown, want)
			}
		}
		if n := len(c.all()); n > 0 {
			t.Errorf("%d requests", n)
		}
		b.Settings(nil)
		<-time.After(time.Second)
		if n := len(c.all()); n != 1 {
			t.Errorf("%d requests after the pause, want that of the event since the hook was inserted", n)
		}
	})
}

// TestDowntimeTakesNoTime: however long hooktail did not run, what was parked before is
// tried for an hour after the start, or a quarter of a shorter time, and not much longer.
func TestDowntimeTakesNoTime(t *testing.T) {
	const many = 100
	for retryFor, spell := range map[time.Duration]time.Duration{72 * time.Hour: time.Hour, time.Hour: 15 * time.Minute} {
		for _, back := range []time.Duration{spell / 2, 2 * spell} { // when the receiver works again
			synctest.Test(t, func(t *testing.T) {
				store, answers := newFakeStore(), newStatuses(503, "h1")
				var batch state.Batch
				for n := range many {
					e := committed(n, int64(n+1))
					batch.Insert = append(batch.Insert, state.Row{
						Key: state.Key{Hook: 1, Event: e.ID}, Action: e.Action, Project: 1, Task: int64(n + 1), Committed: e.Committed,
						Body: mapping.BodyOf([]byte("{}")), Attempts: n % 2 * 4, Added: time.Now().Add(-2 * retryFor),
					})
				}
				if err := store.Apply(t.Context(), batch); err != nil {
					t.Fatal(err)
				}
				b := newBench(t, Options{Store: store, Retry: Policy{RetryFor: retryFor}}, answers.round, hostRow(1))
				backlogs, _ := store.backlogs(t.Context())
				b.Restore(backlogs, nil)
				<-time.After(back)
				answers.set("h1", 200)
				<-time.After(time.Hour)
				synctest.Wait()
				if dead := len(store.list(1, state.Dead)); dead > 0 != (back > spell) || back > spell && dead != many {
					t.Errorf("retried for %s: %d of %d are dead, back after %s", retryFor, dead, many, back)
				}
				if n := len(store.list(1, state.Parked)); n > 0 {
					t.Errorf("retried for %s: %d are left, back after %s", retryFor, n, back)
				}
			})
		}
	}
}
