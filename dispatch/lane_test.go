package dispatch

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// bench is a dispatcher on a transport without sockets.
type bench struct {
	*Dispatcher
	hooks *Hooks
	log   *logBuffer

	mu   sync.Mutex
	done []int // ordinals of events, in the order in which they were finished
}

func newBench(t testing.TB, o Options, round transport, rows ...row) *bench {
	t.Helper()
	b := &bench{log: &logBuffer{}}
	b.hooks = NewHooks(HooksOptions{Log: b.log.logger(), Metrics: o.Metrics})
	for _, r := range rows {
		apply(t, b.hooks, RowChange{Table: Webhook, Row: r})
	}
	o.Hooks, o.Log = b.hooks, b.log.logger()
	o.Sender = NewSender(SenderOptions{Transport: round})
	b.Dispatcher = New(o)
	t.Cleanup(b.Close)
	return b
}

func (b *bench) enqueue(t testing.TB, hook int64, event, task int) {
	t.Helper()
	d := deliveryTo(hook, makeEvent(event, int64(task)), func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.done = append(b.done, event)
	})
	if err := b.Enqueue(t.Context(), []Delivery{d}); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) finished() []int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.done)
}

func (b *bench) drain(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Hour)
	defer cancel()
	if err := b.Drain(ctx); err != nil {
		t.Fatal(err)
	}
}

// calls records attempts, by time since it was made.
type calls struct {
	mu    sync.Mutex
	begun time.Time
	list  []call
}

type call struct {
	event   string
	attempt string
	at      time.Duration
}

func newCalls() *calls { return &calls{begun: time.Now()} }

func (c *calls) note(r *http.Request) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, call{r.Header["webhook-id"][0], r.Header["webhook-attempt"][0], time.Since(c.begun)})
	return len(c.list)
}

func (c *calls) all() []call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.list)
}

func TestRetriesBackOffUntilDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCalls()
		b := newBench(t, Options{}, func(r *http.Request) (*http.Response, error) {
			if c.note(r) < 12 {
				return answerWith(503), nil
			}
			return answerWith(200), nil
		}, hookRow(1, "http://x/"))
		b.enqueue(t, 1, 1, 1)
		b.drain(t)
		list := c.all()
		if len(list) != 12 {
			t.Fatalf("%d attempts", len(list))
		}
		p := Policy{}.withDefaults()
		for i := 1; i < len(list); i++ {
			if list[i].attempt != strconv.Itoa(i+1) {
				t.Errorf("attempt %s, want %d", list[i].attempt, i+1)
			}
			if gap := list[i].at - list[i-1].at; gap > p.ceiling(i) {
				t.Errorf("attempt %d came after %s, want at most %s", i+1, gap, p.ceiling(i))
			}
		}
	})
}

func TestRetryingEndsAfterRetryFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMetrics(nil)
		b := newBench(t, Options{Metrics: m}, func(*http.Request) (*http.Response, error) {
			return nil, syscall.ECONNREFUSED
		}, hookRow(1, "http://x/"))
		begun := time.Now()
		b.enqueue(t, 1, 1, 1)
		b.drain(t)
		if took := time.Since(begun); took < 72*time.Hour || took > 73*time.Hour {
			t.Errorf("died after %s", took)
		}
		if n := testutil.ToFloat64(m.deliveries.WithLabelValues("1", "ANNOTATION_UPDATED", "dead")); n != 1 {
			t.Errorf("%v dead", n)
		}
		if s := b.log.String(); !strings.Contains(s, "reason=exhausted") {
			t.Errorf("log:\n%s", s)
		}
	})
}

// A retry holds its own task and gives its slot back.
func TestRetryHoldsItsTaskOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{Concurrency: 1}, func(r *http.Request) (*http.Response, error) {
			if r.Header["webhook-id"][0] == ids(1, 1)[0] && r.Header["webhook-attempt"][0] == "1" {
				return answerWith(500), nil
			}
			return answerWith(200), nil
		}, hookRow(1, "http://x/"))
		for event, task := range []int{0: 9, 1: 1, 2: 1, 3: 2, 4: 3, 5: 0, 6: 4} {
			b.enqueue(t, 1, event, task)
		}
		b.drain(t)
		if got, want := b.finished(), []int{0, 3, 4, 1, 2, 5, 6}; !slices.Equal(got, want) {
			t.Errorf("finished %v, want %v", got, want)
		}
	})
}

func TestConcurrencyIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var mu sync.Mutex
		now, most := 0, 0
		b := newBench(t, Options{Concurrency: 3}, func(*http.Request) (*http.Response, error) {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			<-gate
			mu.Lock()
			now--
			mu.Unlock()
			return answerWith(200), nil
		}, hookRow(1, "http://x/"))
		for n := range 20 {
			b.enqueue(t, 1, n, n+1)
		}
		synctest.Wait()
		close(gate)
		b.drain(t)
		if most != 3 {
			t.Errorf("%d in flight, want 3", most)
		}
	})
}

// While everything fails there is one probe, the oldest event; then 2, 4, 8.
func TestFailingHookIsProbedWithItsOldestEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		down, now, most := true, 0, 0
		var probes []string
		m := NewMetrics(nil)
		b := newBench(t, Options{Metrics: m}, func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			now++
			most = max(most, now)
			probes = append(probes, r.Header["webhook-id"][0])
			failing := down
			mu.Unlock()
			time.Sleep(10 * time.Millisecond) // of the bubble
			mu.Lock()
			now--
			mu.Unlock()
			if failing {
				return nil, syscall.ECONNREFUSED
			}
			return answerWith(200), nil
		}, hookRow(1, "http://x/"))
		for n := range 100 {
			b.enqueue(t, 1, n, n+1)
		}
		time.Sleep(time.Second) // the first ones have failed
		synctest.Wait()
		if got := testutil.ToFloat64(m.state.WithLabelValues("1")); got != float64(StateFailing) {
			t.Errorf("state %v", got)
		}
		mu.Lock()
		most, probes = 0, nil
		mu.Unlock()
		time.Sleep(time.Hour)
		mu.Lock()
		if most > 1 || len(probes) < 2 {
			t.Errorf("%d probes, %d at once", len(probes), most)
		}
		for _, p := range probes {
			if p != ids(0, 0)[0] {
				t.Errorf("probed with %s, want the oldest", p)
			}
		}
		down, most = false, 0
		mu.Unlock()
		b.drain(t)
		if most != 8 || len(b.finished()) != 100 || b.finished()[0] != 0 {
			t.Errorf("after it: %d at once, %d finished", most, len(b.finished()))
		}
		if got := testutil.ToFloat64(m.state.WithLabelValues("1")); got != float64(StateLive) {
			t.Errorf("state %v", got)
		}
	})
}

func TestRetryAfterHoldsTheWholeHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCalls()
		b := newBench(t, Options{Concurrency: 1}, func(r *http.Request) (*http.Response, error) {
			if c.note(r) == 1 {
				a := answerWith(429)
				a.Header.Set("Retry-After", "60")
				return a, nil
			}
			return answerWith(200), nil
		}, hookRow(1, "http://x/"))
		for n := range 3 {
			b.enqueue(t, 1, n, n+1)
		}
		b.drain(t)
		list := c.all()
		if len(list) != 4 {
			t.Fatalf("%d attempts", len(list))
		}
		for _, later := range list[1:] {
			if later.at < time.Minute || later.at > time.Minute+time.Second {
				t.Errorf("attempt after %s", later.at)
			}
		}
	})
}

func TestGoneStopsTheHookUntilItsRowChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCalls()
		b := newBench(t, Options{Concurrency: 1}, func(r *http.Request) (*http.Response, error) {
			if c.note(r) == 1 {
				return answerWith(410), nil
			}
			return answerWith(200), nil
		}, hookRow(1, "http://x/"))
		b.enqueue(t, 1, 1, 1)
		b.enqueue(t, 1, 2, 2)
		b.drain(t)
		if n := len(c.all()); n != 1 {
			t.Errorf("%d attempts at a hook that is stopped", n)
		}
		if n := strings.Count(b.log.String(), "reason=gone"); n != 2 {
			t.Errorf("%d dead:\n%s", n, b.log)
		}
		apply(t, b.hooks, RowChange{Table: Webhook, Row: hookRow(1, "http://x/")})
		b.enqueue(t, 1, 3, 3)
		b.drain(t)
		if n := len(c.all()); n != 2 {
			t.Errorf("%d attempts after the change", n)
		}
	})
}

func TestRefusedHookBuriesAndOthersFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCalls()
		m := NewMetrics(nil)
		b := newBench(t, Options{Metrics: m}, func(r *http.Request) (*http.Response, error) {
			c.note(r)
			return answerWith(200), nil
		}, hookRow(1, "ftp://x/"), hookRow(2, "http://x/"))
		b.enqueue(t, 1, 1, 1)
		b.enqueue(t, 2, 2, 1)
		b.drain(t)
		apply(t, b.hooks, RowChange{Table: Webhook, Row: hookRow(1, "http://x/")})
		b.enqueue(t, 1, 3, 1)
		b.drain(t)
		if n := len(c.all()); n != 2 {
			t.Errorf("%d attempts", n)
		}
		if s := b.log.String(); strings.Count(s, "reason=bad_url") != 2 { // the hook, and the one delivery
			t.Errorf("log:\n%s", s)
		}
		if n := testutil.ToFloat64(m.deliveries.WithLabelValues("1", "ANNOTATION_UPDATED", "dead")); n != 1 {
			t.Errorf("%v dead", n)
		}
	})
}

// What waits an hour for its retry is dropped at once when the hook goes.
func TestDeliveriesOfAHookThatGoesAreDropped(t *testing.T) {
	for name, gone := range map[string]RowChange{
		"deleted":      deleteRow(Webhook, 1),
		"switched off": {Table: Webhook, Row: hookRow(1, "http://x/").with("is_active", "f")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, Options{}, func(*http.Request) (*http.Response, error) {
					a := answerWith(503)
					a.Header.Set("Retry-After", "3600")
					return a, nil
				}, hookRow(1, "http://x/"))
				for n := range 20 {
					b.enqueue(t, 1, n, n%5)
				}
				time.Sleep(time.Minute)
				begun := time.Now()
				apply(t, b.hooks, gone)
				b.drain(t)
				if took := time.Since(begun); took > time.Second {
					t.Errorf("dropped after %s", took)
				}
				b.enqueue(t, 1, 20, 1) // matched before, rendered after
				b.drain(t)
				if n := len(b.finished()); n != 21 {
					t.Errorf("%d finished", n)
				}
				synctest.Wait()
				if s := b.log.String(); !strings.Contains(s, "level=INFO") || !strings.Contains(s, "deliveries=20") {
					t.Errorf("log:\n%s", s)
				}
				if _, there := b.hooks.Hook(1); !there && len(b.lanes) != 0 {
					t.Error("the lane is kept")
				}
			})
		})
	}
}

func TestNotRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCalls()
		b := newBench(t, Options{Retry: Policy{MaxAttempts: 1}}, func(r *http.Request) (*http.Response, error) {
			c.note(r)
			return nil, errors.New("no")
		}, hookRow(1, "http://x/"))
		for n := range 50 {
			b.enqueue(t, 1, n, n%7)
		}
		b.drain(t)
		if n := len(c.all()); n != 50 {
			t.Errorf("%d attempts", n)
		}
	})
}

func TestEnqueueBlocksAtMaxBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		b := newBench(t, Options{MaxBytes: 4000}, func(*http.Request) (*http.Response, error) {
			<-gate
			return answerWith(200), nil
		}, hookRow(1, "http://x/"), hookRow(2, "http://x/"))
		taken := 0
		go func() {
			for n := range 100 {
				b.enqueue(t, 1, n, n+1)
				taken++
			}
		}()
		synctest.Wait()
		if taken == 0 || taken > 10 || b.Bytes() == 0 {
			t.Errorf("%d taken, %d bytes", taken, b.Bytes())
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.Enqueue(ctx, []Delivery{deliveryTo(1, makeEvent(500, 1), nil)}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		close(gate)
		synctest.Wait()
		b.drain(t)
		if taken != 100 || b.Bytes() != 0 {
			t.Errorf("%d taken, %d bytes held", taken, b.Bytes())
		}

		large := makeEvent(600, 1)
		large.Payload = make([]byte, 5000)
		if err := b.Enqueue(t.Context(), []Delivery{deliveryTo(1, large, nil), deliveryTo(2, large, nil)}); err != nil {
			t.Fatal(err)
		}
		b.drain(t)
		if s := b.log.String(); !strings.Contains(s, "level=WARN") || !strings.Contains(s, "HOOKTAIL_MEMORY=4000") || !strings.Contains(s, "hooks=\"[1 2]\"") {
			t.Errorf("log:\n%s", s)
		}
		if b.Bytes() != 0 {
			t.Errorf("%d bytes held", b.Bytes())
		}
	})
}

func TestBodyIsSharedByForm(t *testing.T) {
	e := makeEvent(1, 1)
	l := newLetter(e, 3)
	a, grown := l.message(Target{Hook: 1, Action: e.Action, Payload: true}, 1)
	again, none := l.message(Target{Hook: 2, Action: e.Action, Payload: true}, 2)
	bare, _ := l.message(Target{Hook: 3, Action: e.Action}, 1)
	if &a.Body[0] != &again.Body[0] || grown != int64(len(a.Body)) || none != 0 {
		t.Error("the body was built twice")
	}
	if string(bare.Body) != `{"action": "ANNOTATION_UPDATED"}` {
		t.Errorf("without payload: %s", bare.Body)
	}
	if l.held.Load() != newLetter(e, 3).held.Load()+int64(len(a.Body)+len(bare.Body)) {
		t.Errorf("%d bytes held", l.held.Load())
	}
}

// What is not finished when the process stops is not done.
func TestCloseLeavesWhatIsUnfinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{Concurrency: 2}, func(r *http.Request) (*http.Response, error) {
			if r.Header["webhook-id"][0] == ids(3, 3)[0] {
				return answerWith(500), nil
			}
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, hookRow(1, "http://x/"))
		b.enqueue(t, 1, 3, 3)
		synctest.Wait()
		for n := range 3 {
			b.enqueue(t, 1, n, n+1)
		}
		synctest.Wait()
		before := b.log.String()
		b.Close()
		if n := len(b.finished()); n != 0 {
			t.Errorf("%d done", n)
		}
		if after := b.log.String(); after != before {
			t.Errorf("log of the end:\n%s", after[len(before):])
		}
		if err := b.Enqueue(t.Context(), []Delivery{deliveryTo(1, makeEvent(9, 1), nil)}); !errors.Is(err, ErrClosed) {
			t.Errorf("error %v", err)
		}
		if err := b.Drain(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("error %v", err)
		}
	})
}

func TestMetricsMatchDeliveries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMetrics(nil)
		c := newCalls()
		b := newBench(t, Options{Metrics: m}, func(r *http.Request) (*http.Response, error) {
			if c.note(r) <= 2 {
				return answerWith(302), nil
			}
			return answerWith(200), nil
		}, hookRow(1, "http://x/"))
		b.enqueue(t, 1, 1, 1)
		b.drain(t)
		for labels, want := range map[[2]string]float64{
			{"ANNOTATION_UPDATED", "delivered"}: 1, {"ANNOTATION_UPDATED", "retried"}: 2,
			{"ANNOTATION_UPDATED", "dead"}: 0, {"PROJECT_CREATED", "delivered"}: 0,
		} {
			if got := testutil.ToFloat64(m.deliveries.WithLabelValues("1", labels[0], labels[1])); got != want {
				t.Errorf("%v: %v, want %v", labels, got, want)
			}
		}
		if got := testutil.ToFloat64(m.attempts.WithLabelValues("1", "3xx")); got != 2 {
			t.Errorf("3xx: %v", got)
		}
		if n := testutil.CollectAndCount(m.deliveries); n != 7*int(outcomes) {
			t.Errorf("%d series of deliveries", n)
		}
	})
}

func TestSuccessIsLoggedAsLabelStudioDoes(t *testing.T) {
	b := newBench(t, Options{}, func(*http.Request) (*http.Response, error) { return answerWith(200), nil }, hookRow(1, "http://x/"))
	b.enqueue(t, 1, 1, 1)
	b.drain(t)
	if s := b.log.String(); !strings.Contains(s, `level=DEBUG msg="Run webhook 1 for action ANNOTATION_UPDATED"`) {
		t.Errorf("log:\n%s", s)
	}
}

func BenchmarkLane(b *testing.B) {
	ok := &http.Response{StatusCode: 200, Body: http.NoBody}
	hooks := newTestHooks(b, hookRow(1, "http://x/"))
	d := New(Options{
		Hooks: hooks, Metrics: NewMetrics(nil), Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Sender: NewSender(SenderOptions{Transport: transport(func(*http.Request) (*http.Response, error) { return ok, nil })}),
	})
	defer d.Close()
	e := makeEvent(1, 1)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		event := *e
		event.Task = int64(n%1000 + 1)
		if err := d.Enqueue(b.Context(), []Delivery{deliveryTo(1, &event, nil)}); err != nil {
			b.Fatal(err)
		}
	}
	if err := d.Drain(b.Context()); err != nil {
		b.Fatal(err)
	}
}
