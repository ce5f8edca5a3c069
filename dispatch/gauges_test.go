package dispatch

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
)

// TestHookStateIsTheHooks: hooktail_hook_state is the hook's state, also after its row
// was saved again.
func TestHookStateIsTheHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var status, pause atomic.Int64 // of the answer
		m := NewMetrics(nil)
		b := newBench(t, Options{Metrics: m, Store: newFakeStore()}, func(*http.Request) (*http.Response, error) {
			answer := dispatchtest.Answer(int(status.Load()))
			if seconds := pause.Load(); seconds > 0 {
				answer.Header.Set("Retry-After", strconv.FormatInt(seconds, 10))
			}
			return answer, nil
		}, dispatchtest.HookRow(1, "http://x/"))
		is := func(want State, when string) {
			t.Helper()
			synctest.Wait()
			if got := State(m.shown(t, "hooktail_hook_state", "1")); got != want {
				t.Errorf("%s: state %d, want %d", when, got, want)
			}
		}
		save := func(columnsAndValues ...string) {
			apply(t, b.hooks, hook.RowChange{Table: hook.Webhook, Row: dispatchtest.HookRow(1, "http://x/").With(columnsAndValues...)})
		}
		n := 0
		send := func(answer int64) {
			n++
			status.Store(answer)
			b.enqueue(t, 1, n, n)
		}
		is(StateLive, "at the start")
		send(200)
		is(StateLive, "delivered")
		b.Settings([]state.Setting{{Hook: 1, Paused: true}})
		is(StatePaused, "paused")
		save()
		is(StatePaused, "paused and saved")
		b.Settings([]state.Setting{{Hook: 1, Suspended: time.Now()}})
		save()
		is(StateSuspended, "suspended and saved")
		b.Settings(nil)
		is(StateLive, "resumed")
		for range failedTasks {
			send(500)
			synctest.Wait()
		}
		is(StateFailing, "everything fails")
		status.Store(200)
		save("headers", `{"X-Mended": "1"}`) // tried at once
		is(StateLive, "mended")
		pause.Store(30)
		send(429)
		is(StateWaiting, "asked to wait")
		pause.Store(0)
		status.Store(200)
		time.Sleep(time.Minute) //nolint:forbidigo // the bubble's clock
		is(StateLive, "after that")
		send(410)
		is(StateStopped, "gone")
		save("url", "ftp://x/")
		is(StateRefused, "a bad URL")
		save("is_active", "f")
		is(StateInactive, "switched off")
		save()
		is(StateLive, "switched on")
	})
}
