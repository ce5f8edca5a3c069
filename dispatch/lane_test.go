package dispatch

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/hook"
)

func TestRetriesBackOffUntilDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCalls()
		b := newBench(t, Options{}, func(r *http.Request) (*http.Response, error) {
			if c.note(r) < 12 {
				return dispatchtest.Answer(503), nil
			}
			return dispatchtest.Answer(200), nil
		}, dispatchtest.HookRow(1, "http://x/"))
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
		}, dispatchtest.HookRow(1, "http://x/"))
		begun := time.Now()
		b.enqueue(t, 1, 1, 1)
		b.drain(t)
		if took := time.Since(begun); took < 72*time.Hour || took > 73*time.Hour {
			t.Errorf("died after %s", took)
		}
		if n := m.shown(t, "hooktail_deliveries_total", "ANNOTATION_UPDATED", "1", "dead"); n != 1 {
			t.Errorf("%v dead", n)
		}
		if s := b.log.String(); !strings.Contains(s, "reason=exhausted") {
			t.Errorf("log:\n%s", s)
		}
	})
}

// A waiting retry delays its own task and returns its slot.
func TestRetryHoldsItsTaskOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{Concurrency: 1}, func(r *http.Request) (*http.Response, error) {
			if r.Header["webhook-id"][0] == ids(1, 1)[0] && r.Header["webhook-attempt"][0] == "1" { //nolint:staticcheck // written as on the wire
				return dispatchtest.Answer(500), nil
			}
			return dispatchtest.Answer(200), nil
		}, dispatchtest.HookRow(1, "http://x/"))
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
			return dispatchtest.Answer(200), nil
		}, dispatchtest.HookRow(1, "http://x/"))
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

// While everything fails there is one probe: untried heads, the newest first, then the
// others in turn. After a success the limit grows: 2, 4, 8.
func TestFailingHookIsProbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		down, now, most := true, 0, 0
		m, c := NewMetrics(nil), newCalls()
		b := newBench(t, Options{Metrics: m}, func(r *http.Request) (*http.Response, error) {
			c.note(r)
			mu.Lock()
			now++
			most = max(most, now)
			failing := down
			mu.Unlock()
			time.Sleep(10 * time.Millisecond) //nolint:forbidigo // of the bubble
			mu.Lock()
			now--
			mu.Unlock()
			if failing {
				return nil, syscall.ECONNREFUSED
			}
			return dispatchtest.Answer(200), nil
		}, dispatchtest.HookRow(1, "http://x/"))
		const events = 40
		for n := range events {
			b.enqueue(t, 1, n, n+1)
		}
		time.Sleep(time.Second) //nolint:forbidigo // of the bubble
		synctest.Wait()
		if got := m.shown(t, "hooktail_hook_state", "1"); got != float64(StateFailing) {
			t.Errorf("state %v", got)
		}
		mu.Lock()
		most = 0
		mu.Unlock()
		before := len(c.all())
		time.Sleep(time.Hour) //nolint:forbidigo // of the bubble
		probes := c.all()[before:]
		tried, rounds := make(map[string]int), 0
		for i, p := range probes {
			tried[p.event]++
			rounds = max(rounds, tried[p.event])
			if i == 0 {
				continue
			}
			gap := p.at - probes[i-1].at
			if gap < 990*time.Millisecond || gap > time.Minute {
				t.Errorf("probe %d comes %s after the one before", i, gap)
			}
			if rounds == 1 && p.attempt == "1" && probes[i-1].attempt == "1" && p.event > probes[i-1].event && len(p.event) == len(probes[i-1].event) {
				t.Errorf("probed with %s after %s, want the newest first", p.event, probes[i-1].event)
			}
		}
		if len(tried) != events || rounds > 2+len(probes)/events*2 {
			t.Errorf("%d of %d heads were tried, one of them %d times", len(tried), events, rounds)
		}
		mu.Lock()
		if most > 1 {
			t.Errorf("%d probes at once", most)
		}
		down, most = false, 0
		mu.Unlock()
		recovered := time.Now()
		b.drain(t)
		if took := time.Since(recovered); took > 5*time.Minute {
			t.Errorf("everything was delivered %s after the hook was well", took)
		}
		if most != 8 || len(b.finished()) != events {
			t.Errorf("after it: %d at once, %d finished", most, len(b.finished()))
		}
		if got := m.shown(t, "hooktail_hook_state", "1"); got != float64(StateLive) {
			t.Errorf("state %v", got)
		}
	})
}

func TestRetryAfterHoldsTheWholeHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCalls()
		b := newBench(t, Options{Concurrency: 1}, func(r *http.Request) (*http.Response, error) {
			if c.note(r) == 1 {
				a := dispatchtest.Answer(429)
				a.Header.Set("Retry-After", "60")
				return a, nil
			}
			return dispatchtest.Answer(200), nil
		}, dispatchtest.HookRow(1, "http://x/"))
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
				return dispatchtest.Answer(410), nil
			}
			return dispatchtest.Answer(200), nil
		}, dispatchtest.HookRow(1, "http://x/"))
		b.enqueue(t, 1, 1, 1)
		b.enqueue(t, 1, 2, 2)
		b.drain(t)
		if n := len(c.all()); n != 1 {
			t.Errorf("%d attempts at a hook that is stopped", n)
		}
		if n := strings.Count(b.log.String(), "reason=gone"); n != 2 {
			t.Errorf("%d dead:\n%s", n, b.log)
		}
		apply(t, b.hooks, hook.RowChange{Table: hook.Webhook, Row: dispatchtest.HookRow(1, "http://x/another")})
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
			return dispatchtest.Answer(200), nil
		}, dispatchtest.HookRow(1, "ftp://x/"), dispatchtest.HookRow(2, "http://x/"))
		b.enqueue(t, 1, 1, 1)
		b.enqueue(t, 2, 2, 1)
		b.drain(t)
		apply(t, b.hooks, hook.RowChange{Table: hook.Webhook, Row: dispatchtest.HookRow(1, "http://x/")})
		b.enqueue(t, 1, 3, 1)
		b.drain(t)
		if n := len(c.all()); n != 2 {
			t.Errorf("%d attempts", n)
		}
		if s := b.log.String(); strings.Count(s, "reason=bad_url") != 2 { // the hook, and the one delivery
			t.Errorf("log:\n%s", s)
		}
		if n := m.shown(t, "hooktail_deliveries_total", "ANNOTATION_UPDATED", "1", "dead"); n != 1 {
			t.Errorf("%v dead", n)
		}
	})
}

func TestNotRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCalls()
		b := newBench(t, Options{Retry: Policy{MaxAttempts: 1}}, func(r *http.Request) (*http.Response, error) {
			c.note(r)
			return nil, errors.New("no")
		}, dispatchtest.HookRow(1, "http://x/"))
		for n := range 50 {
			b.enqueue(t, 1, n, n%7)
		}
		b.drain(t)
		if n := len(c.all()); n != 50 {
			t.Errorf("%d attempts", n)
		}
	})
}
