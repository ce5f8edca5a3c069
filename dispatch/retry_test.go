package dispatch

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/send"
)

func TestVerdict(t *testing.T) {
	answer := func(status int) send.Outcome {
		return send.Outcome{Result: send.Result(status/100 - 2), Status: status}
	}
	later := func(status int, d time.Duration) send.Outcome {
		o := answer(status)
		o.RetryAfter = d
		return o
	}
	const half = 0.5
	for _, tt := range []struct {
		name    string
		policy  Policy
		outcome send.Outcome
		attempt int
		age     time.Duration
		want    verdict
	}{
		{"delivered", Policy{}, answer(204), 1, 0, verdict{step: deliver}},
		{"delivered at the last", Policy{MaxAttempts: 1}, answer(200), 1, 100 * time.Hour, verdict{step: deliver}},
		{"redirect", Policy{}, answer(302), 1, 0, verdict{step: postpone, delay: 125 * time.Millisecond}},
		{"second", Policy{}, answer(500), 2, 0, verdict{step: postpone, delay: 250 * time.Millisecond}},
		{"third", Policy{}, answer(500), 3, 0, verdict{step: postpone, delay: 500 * time.Millisecond}},
		{"fifth", Policy{}, answer(500), 5, 0, verdict{step: postpone, delay: 2 * time.Second}},
		{"many", Policy{}, answer(500), 100, 0, verdict{step: postpone, delay: 30 * time.Minute}},
		{"near the end", Policy{}, answer(500), 100, 72*time.Hour - time.Minute, verdict{step: postpone, delay: time.Minute}},
		{"at the end", Policy{}, answer(500), 100, 72 * time.Hour, verdict{step: bury, reason: ReasonExhausted}},
		{"not retried", Policy{MaxAttempts: 1}, send.Outcome{Result: send.ResultRefused}, 1, 0, verdict{step: bury, reason: ReasonExhausted}},
		{"attempts left", Policy{MaxAttempts: 3}, send.Outcome{Result: send.ResultTimeout}, 2, 0, verdict{step: postpone, delay: 250 * time.Millisecond}},
		{"no attempts left", Policy{MaxAttempts: 3}, send.Outcome{Result: send.ResultTimeout}, 3, 0, verdict{step: bury, reason: ReasonExhausted}},
		{"bad request", Policy{}, answer(400), 4, 0, verdict{step: postpone, delay: time.Second}},
		{"bad request for good", Policy{}, answer(400), 5, 0, verdict{step: bury, reason: ReasonRejected}},
		{"too large for good", Policy{}, answer(413), 5, 0, verdict{step: bury, reason: ReasonRejected}},
		{"URI too long for good", Policy{}, answer(414), 5, 0, verdict{step: bury, reason: ReasonRejected}},
		{"wrong type for good", Policy{}, answer(415), 5, 0, verdict{step: bury, reason: ReasonRejected}},
		{"unprocessable for good", Policy{}, answer(422), 5, 0, verdict{step: bury, reason: ReasonRejected}},
		{"unauthorized speaks of the hook", Policy{}, answer(401), 5, 0, verdict{step: postpone, delay: 2 * time.Second}},
		{"not found speaks of the hook", Policy{}, answer(404), 6, 0, verdict{step: postpone, delay: 4 * time.Second}},
		{"gone", Policy{}, answer(410), 1, 0, verdict{step: bury, reason: ReasonGone, stop: true}},
		{"blocked", Policy{}, send.Outcome{Result: send.ResultBlocked}, 1, 0, verdict{step: bury, reason: ReasonBlocked}},
		{"asked to wait", Policy{}, later(429, time.Minute), 1, 0, verdict{step: postpone, delay: time.Minute, hold: time.Minute}},
		{"asked to wait too long", Policy{}, later(503, 50*time.Hour), 1, 0, verdict{step: postpone, delay: time.Hour, hold: time.Hour}},
		{"asked to wait at the last", Policy{MaxAttempts: 1}, later(503, time.Minute), 1, 0, verdict{step: bury, reason: ReasonExhausted, hold: time.Minute}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.policy.withDefaults().verdict(tt.outcome, tt.attempt, tt.attempt, tt.age, half)
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(verdict{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBackoffIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Policy{
			Base: time.Duration(rapid.Int64Range(1, int64(time.Minute)).Draw(t, "base")),
			Cap:  time.Duration(rapid.Int64Range(int64(time.Minute), int64(1000*time.Hour)).Draw(t, "cap")),
		}
		attempt := rapid.IntRange(1, 100_000).Draw(t, "attempt")
		jitter := rapid.Float64Range(0, 0.999999).Draw(t, "jitter")
		d := p.backoff(attempt, jitter)
		if d < 0 || d > p.Cap {
			t.Fatalf("back-off %s", d)
		}
		if attempt <= quick && d > p.Base {
			t.Fatalf("quick back-off %s", d)
		}
		if p.ceiling(attempt) > p.ceiling(attempt+1) {
			t.Fatalf("ceiling falls from %s to %s", p.ceiling(attempt), p.ceiling(attempt+1))
		}
	})
}

// FuzzRetryAfter: the next attempt is within the cap, whatever a receiver requests.
func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "120", "-1", "9223372036854775807", "Mon, 23 Nov 2026 12:00:30 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"} {
		f.Add(seed)
	}
	hook := oneHook(f, dispatchtest.HookRow(1, "http://x/"))
	f.Fuzz(func(t *testing.T, value string) {
		sender := send.New(send.Options{Transport: dispatchtest.Transport(func(*http.Request) (*http.Response, error) {
			busy := dispatchtest.Answer(http.StatusServiceUnavailable)
			busy.Header.Set("Retry-After", value)
			return busy, nil
		})})
		o := sender.Send(t.Context(), hook, send.Message{})
		if o.Status != http.StatusServiceUnavailable || o.RetryAfter < 0 {
			t.Fatalf("%+v", o)
		}
		v := Policy{}.withDefaults().verdict(o, 1, 0, 0, 0)
		if v.hold > time.Hour || v.delay > time.Hour {
			t.Fatalf("waits %s, %s", v.hold, v.delay)
		}
	})
}
