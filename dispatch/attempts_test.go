package dispatch

import (
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/internal/logging"
)

// TestOneAttemptIsTheGuidesWord: "Failed connections are not retried"
// (https://labelstud.io/guide/webhooks). With MaxAttempts 1 an event is sent once, whatever
// the result. A failure is an ERROR in the log, counts as dead, and delays nothing, not
// even later events of its task.
func TestOneAttemptIsTheGuidesWord(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		err    error
		result string
	}{
		{"refused", 0, syscall.ECONNREFUSED, "refused"},
		{"reset", 0, syscall.ECONNRESET, "reset"},
		{"no answer", 0, &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, "timeout"},
		{"no such host", 0, &net.DNSError{Name: "x", Err: "no such host"}, "dns"},
		{"redirect", 302, nil, "3xx"},
		{"bad request", 400, nil, "4xx"},
		{"not found", 404, nil, "4xx"},
		{"too many requests", 429, nil, "4xx"},
		{"server error", 500, nil, "5xx"},
		{"unavailable", 503, nil, "5xx"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const events, failing = 20, 17
				m, c := NewMetrics(nil), newCalls()
				b := newBench(t, Options{Metrics: m, Retry: Policy{MaxAttempts: 1}}, func(r *http.Request) (*http.Response, error) {
					switch n := c.note(r); {
					case n > failing:
						return dispatchtest.Answer(200), nil
					case tt.err != nil:
						return nil, tt.err
					default:
						return dispatchtest.Answer(tt.status), nil
					}
				}, dispatchtest.HookRow(1, "http://x/"))
				begun := time.Now()
				for n := range events {
					b.enqueue(t, 1, n, n%3+1)
				}
				b.drain(t)
				if took := time.Since(begun); took != 0 {
					t.Errorf("an event waited: %s", took)
				}
				if n := len(c.all()); n != events {
					t.Errorf("%d requests for %d events", n, events)
				}
				for _, call := range c.all() {
					if call.attempt != "1" {
						t.Errorf("attempt %s", call.attempt)
					}
				}
				if n := len(b.finished()); n != events {
					t.Errorf("%d finished", n)
				}
				for outcome, want := range map[string]float64{"dead": failing, "delivered": events - failing, "retried": 0} {
					if got := m.shown(t, "hooktail_deliveries_total", "ANNOTATION_UPDATED", "1", outcome); got != want {
						t.Errorf("%v %s, want %v", got, outcome, want)
					}
				}
				time.Sleep(logging.Longest) //nolint:forbidigo // the bubble's clock: the last line is due
				for line := range strings.Lines(b.log.String()) {
					if !strings.Contains(line, "level=ERROR") {
						continue
					}
					for _, want := range []string{"dead", "hook=1", "action=ANNOTATION_UPDATED", "attempt=1", "result=" + tt.result, "reason=exhausted", "HOOKTAIL_MAX_ATTEMPTS"} {
						if !strings.Contains(line, want) {
							t.Errorf("no %q in %s", want, line)
						}
					}
				}
				if n, d := sumOf(t, b.log, "ERROR", "failures"), sumOf(t, b.log, "ERROR", "dead"); n != failing || d != failing {
					t.Errorf("the errors in the log speak of %d failures and %d dead, want %d:\n%s", n, d, failing, b.log)
				}
				if n := strings.Count(b.log.String(), "Webhook failed for good"); n != failing {
					t.Errorf("%d of %d failures have a line of their own:\n%s", n, failing, b.log)
				}
			})
		})
	}
}
