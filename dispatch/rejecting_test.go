package dispatch

import (
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/state"
)

// TestRejectingAllIsFailing: a hook whose receiver rejects the events of every task is
// failing until a success, even after all of them are dead and the lane is empty.
func TestRejectingAllIsFailing(t *testing.T) {
	for _, stored := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			store, answers, m := newFakeStore(), newStatuses(422, "h1"), NewMetrics(nil)
			o := Options{Metrics: m}
			if stored {
				o.Store = store
			}
			b := newBench(t, o, answers.round, hostRow(1))
			const tasks = 8
			for n := range tasks {
				b.enqueue(t, 1, n, n+1)
			}
			var states []State
			look := func() {
				synctest.Wait()
				states = append(states, b.Overview()[0].State, State(m.shown(t, "hooktail_hook_state", "1")))
			}
			<-time.After(10 * time.Second)
			look()
			<-time.After(3 * time.Hour)
			look()
			if n := len(store.list(1, state.Dead)); stored && n != tasks || len(b.finished()) != tasks {
				t.Errorf("%d are dead, %d are done, want %d", n, len(b.finished()), tasks)
			}
			answers.set("h1", 200)
			b.enqueue(t, 1, tasks, 1)
			<-time.After(10 * time.Second)
			look()
			if want := []State{StateFailing, StateFailing, StateFailing, StateFailing, StateLive, StateLive}; !slices.Equal(states, want) {
				t.Errorf("stored %t: states %s, want %s", stored, states, want)
			}
		})
	}
}

// TestOutageIsNoRejection: an event is given up after five answers that are about the
// event, however often it was attempted before while its receiver was down.
func TestOutageIsNoRejection(t *testing.T) {
	for _, status := range []int{400, 413, 414, 415, 422} {
		for denied, want := range map[int]state.State{4: "", 100: state.Dead} {
			synctest.Test(t, func(t *testing.T) {
				store, begun, answered := newFakeStore(), time.Now(), 0
				b := newBench(t, Options{Store: store}, func(*http.Request) (*http.Response, error) {
					switch {
					case time.Since(begun) < time.Hour:
						return dispatchtest.Answer(503), nil
					case answered == denied:
						return dispatchtest.Answer(200), nil
					}
					answered++
					return dispatchtest.Answer(status), nil
				}, hostRow(1))
				b.enqueue(t, 1, 1, 1)
				<-time.After(10 * time.Hour)
				synctest.Wait()
				if dead := len(store.list(1, state.Dead)) == 1; dead != (want == state.Dead) || answered != min(denied, rejections) || len(store.list(1, state.Parked)) != 0 {
					t.Errorf("%d, %d times: %d answers, dead: %t", status, denied, answered, dead)
				}
			})
		}
	}
}

// TestOutageIsNoRejectionAfterARestart: the same holds if hooktail was restarted after the
// outage. Then rejections before the restart may not count.
func TestOutageIsNoRejectionAfterARestart(t *testing.T) {
	for _, last := range []int{503, 422} { // answer before the restart
		for denied, dead := range map[int]bool{rejections - 2: false, rejections: true} {
			synctest.Test(t, func(t *testing.T) {
				store, answered := newFakeStore(), 0
				parkCommitted(t, store, 1)
				key := store.list(1, state.Parked)[0].Key
				if err := store.Apply(t.Context(), state.Batch{Update: []state.Attempt{{Key: key, Attempts: 100, LastStatus: last, LastResult: "5xx"}}}); err != nil {
					t.Fatal(err)
				}
				b := newBench(t, Options{Store: store}, func(*http.Request) (*http.Response, error) {
					if answered++; answered > denied {
						return dispatchtest.Answer(200), nil
					}
					return dispatchtest.Answer(422), nil
				}, hostRow(1))
				backlogs, _ := store.backlogs(t.Context())
				b.Restore(backlogs, nil)
				<-time.After(10 * time.Hour)
				synctest.Wait()
				if n := len(store.list(1, state.Dead)); n == 1 != dead || len(store.list(1, state.Parked)) != 0 {
					t.Errorf("%d before, %d answers: %d are dead", last, answered, n)
				}
			})
		}
	}
}
