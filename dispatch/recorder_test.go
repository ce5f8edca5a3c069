package dispatch

import (
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/mapping"
)

func answerText(status int, text string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text))}
}

func TestRecentShowsWhatBecameOfDeliveries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls int
		b := newBench(t, Options{KeepBodies: true}, func(*http.Request) (*http.Response, error) {
			switch calls++; calls {
			case 1:
				return answerText(500, "no room"), nil
			case 2:
				return nil, errors.New("broken")
			case 3:
				return answerText(200, "thanks"), nil
			default:
				return answerText(410, "gone fishing"), nil
			}
		}, dispatchtest.HookRow(1, "http://x/"))
		b.enqueue(t, 1, 1, 7)
		b.drain(t)
		b.enqueue(t, 1, 2, 7)
		b.drain(t)
		b.enqueue(t, 1, 3, 7) // the hook is stopped: no attempt
		b.drain(t)
		type seen struct {
			outcome, result, answer string
			status, attempt         int
			reason                  Reason
			next, body              bool
		}
		var got []seen
		for _, e := range b.Recent(0, true) {
			got = append(got, seen{e.Outcome, e.Result, e.Answer, e.Status, e.Attempt, e.Reason, !e.Next.IsZero(), e.HasBody})
			if e.Hook != 1 || e.Project != 1 || e.Task != 7 || e.Action != "ANNOTATION_UPDATED" {
				t.Errorf("entry %+v", e)
			}
		}
		want := []seen{
			{"retried", "5xx", "no room", 500, 1, ReasonNone, true, true},
			{"retried", "reset", "", 0, 2, ReasonNone, true, true},
			{"delivered", "2xx", "thanks", 200, 3, ReasonNone, false, true},
			{"dead", "4xx", "gone fishing", 410, 1, ReasonGone, false, true},
			{"dead", "", "", 0, 0, ReasonGone, false, false},
		}
		if !slices.Equal(got, want) {
			t.Errorf("recent\n got %v\nwant %v", got, want)
		}
		if body := string(b.Body(3)); !strings.Contains(body, `"annotation": {"id": 1}`) {
			t.Errorf("body %q", body)
		}
		if rest := b.Recent(4, false); len(rest) != 1 || rest[0].Seq != 5 {
			t.Errorf("after 4: %v", rest)
		}
		o := b.Overview()[0]
		if o.State != StateStopped || o.Counts != (Counts{Delivered: 1, Retried: 2, Dead: 2}) || o.Failure.Reason != ReasonGone || o.Samples != 1 || o.Delivered.IsZero() {
			t.Errorf("overview %+v", o)
		}
	})
}

// A busy healthy hook does not displace the failures of another one, and the record is
// bounded.
func TestRecentIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{Retry: Policy{MaxAttempts: 1}, KeepBodies: true}, func(r *http.Request) (*http.Response, error) {
			if r.URL.Host == "bad" {
				return answerText(500, strings.Repeat("x", 5000)), nil
			}
			return answerText(200, "ok"), nil
		}, dispatchtest.HookRow(1, "http://good/"), dispatchtest.HookRow(2, "http://bad/"))
		b.enqueue(t, 2, 0, 1)
		b.drain(t)
		for n := range 3 * keptEntries {
			b.enqueue(t, 1, n+1, n)
		}
		b.drain(t)
		recent := b.Recent(0, true)
		if len(recent) != keptEntries+1 || recent[0].Hook != 2 || len(recent[0].Answer) != send.AnswerBytes {
			t.Errorf("%d entries, the first %+v", len(recent), recent[0].Entry)
		}
	})
}

// TestRecentIsWhatWasSent: the last attempts of all hooks are whole, also those that the
// histories of their hooks have no room for any more, or that were of a deleted hook.
func TestRecentIsWhatWasSent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := recorder{bodies: true}
		var sent []Entry
		body := func(seq uint64) string { return strings.Repeat(string('a'+rune(seq%26)), int(seq*7919%keptBody)) }
		hooks := rapid.Int64Range(1, 400).Draw(t, "hooks")
		for range rapid.IntRange(1, 600).Draw(t, "attempts") {
			e := Entry{Hook: rapid.Int64Range(1, hooks).Draw(t, "hook"), At: time.Now(), Outcome: "delivered"}
			text := body(uint64(len(sent) + 1))
			e.Bytes = len(text)
			r.add(&e, mapping.BodyOf([]byte(text)), []byte(text[:len(text)/64]), true)
			sent = append(sent, e)
			if e.Hook%50 == 7 {
				r.forget(e.Hook)
			}
		}
		last := sent[max(0, len(sent)-keptEntries):]
		recent := r.Recent(0, true)
		if len(recent) != len(last) {
			t.Fatalf("%d attempts are kept, want %d", len(recent), len(last))
		}
		for i, got := range recent {
			if want := body(last[i].Seq); got.Entry != last[i] || got.Answer != want[:len(want)/64] || string(r.Body(got.Seq)) != want {
				t.Fatalf("attempt %d is kept as %+v, or with another body", last[i].Seq, got)
			}
		}
	})
}

// TestAnswersAreForThoseWhoMaySeePayloads: an answer can repeat the request.
func TestAnswersAreForThoseWhoMaySeePayloads(t *testing.T) {
	hook := func(url, headers string) dispatchtest.Row {
		return dispatchtest.HookRow(1, url).With("headers", headers)
	}
	plain, private := hook("http://x/", "{}"), hook("http://jane:passw0rd@x/?key=hush-hush", `{"X-Key": "Token abcdef", "X-Env": "dev"}`)
	for _, tt := range []struct {
		name     string
		hook     dispatchtest.Row
		in, want string
	}{
		{"words", plain, "unknown label", "unknown label"},
		{"header", private, "bad key Token abcdef", "bad key Token abcdef"},
		{"cut", plain, strings.Repeat(".", send.AnswerBytes) + "on", strings.Repeat(".", send.AnswerBytes)},
		{"not UTF-8", plain, "a\xff\xfe b", "a\uFFFD b"},
		{"empty", plain, "", ""},
	} {
		for _, kept := range []bool{true, false} {
			t.Run(tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t, Options{KeepBodies: kept}, func(*http.Request) (*http.Response, error) { return answerText(200, tt.in), nil }, tt.hook)
					b.enqueue(t, 1, 1, 1)
					b.drain(t)
					want := ""
					if kept {
						want = tt.want
					}
					if got := b.Recent(0, true)[0].Answer; got != want {
						t.Errorf("who may see payloads is shown %q, want %q", got, want)
					}
					if got := b.Recent(0, false)[0].Answer; got != "" {
						t.Errorf("others are shown %q", got)
					}
				})
			})
		}
	}
}

func TestQuantiles(t *testing.T) {
	now := time.Unix(1_000_000_000, 0)
	var l latency
	if p50, p99, n := l.quantiles(now); p50 != 0 || p99 != 0 || n != 0 {
		t.Errorf("of nothing: %s %s %d", p50, p99, n)
	}
	var list []time.Duration
	for range 10_000 {
		d := time.Duration(rand.ExpFloat64() * float64(20*time.Millisecond))
		list = append(list, d)
		l.observe(d, now)
	}
	slices.Sort(list)
	check := func(name string, got, want time.Duration) {
		t.Helper()
		if off := float64(got-want) / float64(want); off < -0.07 || off > 0.07 {
			t.Errorf("%s is %s, want about %s", name, got, want)
		}
	}
	p50, p99, n := l.quantiles(now.Add(latencyWindow)) // the window before still counts
	check("p50", p50, list[4999])
	check("p99", p99, list[9899])
	if n != 10_000 {
		t.Errorf("%d observations", n)
	}
	l.observe(time.Hour, now.Add(2*latencyWindow))
	if p50, _, n := l.quantiles(now.Add(2 * latencyWindow)); n != 1 || p50 < 50*time.Minute {
		t.Errorf("two windows later: %s of %d", p50, n)
	}
	if _, _, n := l.quantiles(now.Add(9 * latencyWindow)); n != 0 {
		t.Errorf("much later: %d", n)
	}
}

func TestBucketsHoldTheirDurations(t *testing.T) {
	for _, d := range []time.Duration{-1, 0, time.Microsecond, 15 * time.Microsecond, 16 * time.Microsecond, time.Millisecond, time.Second, time.Hour, 10 * 24 * time.Hour} {
		got := middleOf(bucketOf(d))
		if off := (got - max(0, d)).Abs(); off > max(d/16, time.Microsecond) {
			t.Errorf("%s counts as %s", d, got)
		}
	}
	if got := bucketOf(1 << 62); got != latencyBuckets-1 {
		t.Errorf("the longest counts in bucket %d", got)
	}
}

// BenchmarkRecord measures the cost of the recorder for a successful delivery.
func BenchmarkRecord(b *testing.B) {
	for _, bodies := range []bool{false, true} {
		b.Run(map[bool]string{false: "bodies=none", true: "bodies=2KB"}[bodies], func(b *testing.B) {
			hook := oneHook(b, dispatchtest.HookRow(1, "http://x/").With("headers", `{"Authorization": "Bearer abcdefgh"}`))
			j := &journal{hook: 1, recorder: &recorder{bodies: bodies}}
			d := newDelivery(deliveryTo(1, dispatchtest.Event(1, 1), nil), newSharedEvent(dispatchtest.Event(1, 1), 1), time.Now())
			body := []byte(strings.Repeat("x", 2048))
			b.ReportAllocs()
			for b.Loop() {
				j.addEntry(hook, d, &ending{send.Outcome{Status: 200}, verdict{step: deliver}, true, time.Now()}, mapping.BodyOf(body))
				j.tally(d.Action, delivered)
			}
		})
	}
}
