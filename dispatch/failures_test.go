package dispatch

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/internal/logging"
)

// linesOf returns the log's lines of that level.
func linesOf(log *dispatchtest.Log, level string) []string {
	var out []string
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "level="+level+" ") {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}

// sumOf returns the sum of the attribute's values in the lines of that level.
func sumOf(t *testing.T, log *dispatchtest.Log, level, attribute string) int {
	t.Helper()
	sum := 0
	for _, line := range linesOf(log, level) {
		if m := regexp.MustCompile(" " + attribute + `=(\d+)`).FindStringSubmatch(line); m != nil {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			sum += n
		}
	}
	return sum
}

// TestRepeatedFailuresAreSummarised: an hour of failures of any kind makes few lines
// above DEBUG, which account for every failure.
func TestRepeatedFailuresAreSummarised(t *testing.T) {
	const events = 10_000
	for _, tt := range []struct {
		name    string
		status  func(n int) int // of the answer to the n-th request
		refused bool
		errors  int // lines, at most
		over    int // lines that say that it works again
	}{
		// 1 s, 2 s … 32 s, then 59 minutes.
		{"every one", func(int) int { return 503 }, false, 66, 1},
		{"every other", func(n int) int { return 200 + n%2*300 }, false, 66, 66},
		{"hundred and hundred", func(n int) int { return 200 + n/100%2*300 }, false, 66, 66},
		{"one in a thousand", func(n int) int { return 500 - min(n%1000, 1)*300 }, false, 10, 10},
		{"no request can be made", func(int) int { return 200 }, true, 67, 0}, // one of the hook
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := NewMetrics(nil)
				var requests atomic.Int64
				url := "http://x/"
				if tt.refused {
					url = "ftp://x/"
				}
				b := newBench(t, Options{Concurrency: 1, Metrics: m, Retry: Policy{MaxAttempts: 1}}, func(*http.Request) (*http.Response, error) {
					n := int(requests.Add(1))
					if n > events {
						return dispatchtest.Answer(200), nil
					}
					return dispatchtest.Answer(tt.status(n - 1)), nil
				}, dispatchtest.HookRow(1, url))
				for n := range events {
					b.enqueue(t, 1, n, n)
					time.Sleep(time.Hour / events) //nolint:forbidigo // the bubble's clock
				}
				b.drain(t)
				b.enqueue(t, 1, events, 1) // works, if any does
				b.drain(t)
				time.Sleep(2 * logging.Longest) //nolint:forbidigo // the bubble's clock
				failures := int(m.shown(t, "hooktail_deliveries_total", "ANNOTATION_UPDATED", "1", "dead"))
				if n := sumOf(t, b.log, "ERROR", "failures"); n != failures || failures == 0 {
					t.Errorf("the errors in the log speak of %d failures, there were %d", n, failures)
				}
				if n := len(linesOf(b.log, "ERROR")); n > tt.errors {
					t.Errorf("%d errors for %d failures, want at most %d", n, failures, tt.errors)
				}
				if n := len(linesOf(b.log, "INFO")); n > tt.over || n == 0 && tt.over > 0 {
					t.Errorf("%d lines say that it works again, want 1 to %d", n, tt.over)
				}
				if n := sumOf(t, b.log, "INFO", "failures"); tt.over > 0 && n != failures {
					t.Errorf("the lines that say that it works again speak of %d failures, there were %d", n, failures)
				}
				own := strings.Count(b.log.String(), "Webhook failed for good") + strings.Count(b.log.String(), "Webhook not sent")
				if own != failures {
					t.Errorf("%d of %d failures have a line of their own at DEBUG or above", own, failures)
				}
			})
		})
	}
}

// TestOutageIsToldFromItsBeginningToItsEnd: the log reports the beginning immediately, with
// the next attempt, and the end with its duration and the number of parked deliveries.
func TestOutageIsToldFromItsBeginningToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		store := newFakeStore()
		b := newBench(t, Options{Store: store}, func(*http.Request) (*http.Response, error) {
			if up.Load() {
				return dispatchtest.Answer(200), nil
			}
			return dispatchtest.Answer(502), nil
		}, dispatchtest.HookRow(1, "http://x/"))
		b.enqueue(t, 1, 1, 1)
		synctest.Wait()
		first := linesOf(b.log, "ERROR")
		if len(first) != 1 || !strings.Contains(first[0], `msg="Webhook failed: it will be retried" hook=1 action=ANNOTATION_UPDATED`) ||
			!strings.Contains(first[0], "status=502 next=") || !strings.HasSuffix(first[0], "failures=1 dead=0") {
			t.Errorf("the first failure: %q", first)
		}
		time.Sleep(10 * time.Minute) //nolint:forbidigo // the bubble's clock
		for _, line := range linesOf(b.log, "ERROR")[1:] {
			if !strings.Contains(line, "status=502 next=") || !strings.Contains(line, "failures=") {
				t.Errorf("a line of the outage does not say what failed, how often, and what comes next: %s", line)
			}
		}
		up.Store(true)
		apply(t, b.hooks, hook.RowChange{Table: hook.Webhook, Row: dispatchtest.HookRow(1, "http://x/mended")}) // tried at once
		b.drain(t)
		time.Sleep(2 * logging.Longest) //nolint:forbidigo // the bubble's clock
		over := linesOf(b.log, "INFO")
		if len(over) != 1 || !strings.Contains(over[0], `msg="Webhook works again" hook=1 after=1`) || !strings.HasSuffix(over[0], "parked=1") {
			t.Errorf("the end of the outage: %q", over)
		}
		if told, ended := sumOf(t, b.log, "ERROR", "failures"), sumOf(t, b.log, "INFO", "failures"); told != ended {
			t.Errorf("the errors speak of %d failures, the end of %d", told, ended)
		}
	})
}

// TestNoFailureIsUntoldAtTheEnd: failures that were not logged yet are logged at Close.
func TestNoFailureIsUntoldAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{Retry: Policy{MaxAttempts: 1}}, func(*http.Request) (*http.Response, error) {
			return dispatchtest.Answer(500), nil
		}, dispatchtest.HookRow(1, "http://x/"))
		for n := range 7 {
			b.enqueue(t, 1, n, n)
		}
		b.drain(t)
		b.Close()
		if n := sumOf(t, b.log, "ERROR", "failures"); n != 7 {
			t.Errorf("%d of 7 failures:\n%s", n, b.log)
		}
	})
}
