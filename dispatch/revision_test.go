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

// TestAnswerOfTheEarlierReceiver: what the receiver at the earlier address answers to requests
// that are in flight when the row changes does not concern the one at the new address: it gets
// these events and others at once, whatever Retry-After, 410 or failure comes from the other.
func TestAnswerOfTheEarlierReceiver(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		wait   string // Retry-After
	}{
		{"Retry-After", 429, "3600"}, {"410", 410, ""}, {"failures", 500, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answers, c, store := make(chan struct{}), newCalls(), newFakeStore()
				b := newBench(t, Options{Store: store}, func(r *http.Request) (*http.Response, error) {
					if r.URL.Host == "new" {
						c.note(r)
						return dispatchtest.Answer(200), nil
					}
					<-answers
					a := dispatchtest.Answer(tt.status)
					a.Header.Set("Retry-After", tt.wait)
					return a, nil
				}, dispatchtest.HookRow(1, "http://old/"))
				const events = failedTasks + 1
				for n := range events {
					b.enqueue(t, 1, n, n+1)
				}
				synctest.Wait()
				apply(t, b.hooks, hook.RowChange{Table: hook.Webhook, Row: dispatchtest.HookRow(1, "http://new/")})
				close(answers)
				synctest.Wait()
				b.enqueue(t, 1, events, events+1)
				synctest.Wait()
				if n := len(c.all()); n != events+1 {
					t.Errorf("%d requests at the new address at once, want %d", n, events+1)
				}
				<-time.After(time.Minute)
				if len(store.rows) != 0 {
					t.Errorf("%d deliveries are stored", len(store.rows))
				}
			})
		})
	}
}
