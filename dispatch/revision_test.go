package dispatch

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/hook"
)

// TestOnlyWhatDecidesSendingHastens: a row that is saved without a change of what is sent,
// a rate and a filter do not affect Retry-After, a 410 or the back-off; another address ends them.
func TestOnlyWhatDecidesSendingHastens(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer func() *http.Response
	}{
		{"Retry-After", func() *http.Response {
			a := dispatchtest.Answer(429)
			a.Header.Set("Retry-After", "600")
			return a
		}},
		{"410", func() *http.Response { return dispatchtest.Answer(410) }},
		{"back-off", func() *http.Response { return dispatchtest.Answer(500) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCalls()
				b := newBench(t, Options{Store: newFakeStore()}, func(r *http.Request) (*http.Response, error) {
					c.note(r)
					return tt.answer(), nil
				}, dispatchtest.HookRow(1, "http://x/"))
				b.enqueue(t, 1, 1, 1)
				<-time.After(30 * time.Second)
				before := len(c.all())
				limit := before + 1 // the back-off goes on
				for range 12 {
					b.lanes[1].changed() // the revision is the same
				}
				for column, value := range map[string]string{"rate": "1000/s", "filter": "action != 'X'"} {
					apply(t, b.hooks, hook.RowChange{Table: hook.HookSetting, Row: dispatchtest.Row{"hook_id": "1", "adopted": "f", column: value}})
				}
				b.enqueue(t, 1, 2, 1)
				synctest.Wait()
				if n := len(c.all()); n > limit {
					t.Errorf("%d requests after the row was written again", n-before)
				}
				apply(t, b.hooks, hook.RowChange{Table: hook.Webhook, Row: dispatchtest.HookRow(1, "http://y/")})
				b.enqueue(t, 1, 3, 3)
				synctest.Wait()
				if n := len(c.all()); n <= before {
					t.Error("no request at the new address")
				}
			})
		})
	}
}
