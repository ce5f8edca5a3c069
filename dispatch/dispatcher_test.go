package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
)

// Deliveries that wait an hour for a retry are dropped as soon as the hook is deleted.
func TestDeliveriesOfADeletedHookAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{}, func(*http.Request) (*http.Response, error) {
			a := dispatchtest.Answer(503)
			a.Header.Set("Retry-After", "3600")
			return a, nil
		}, dispatchtest.HookRow(1, "http://x/"))
		for n := range 20 {
			b.enqueue(t, 1, n, n%5)
		}
		time.Sleep(time.Minute) //nolint:forbidigo // of the bubble
		begun := time.Now()
		apply(t, b.hooks, deleteRow(hook.Webhook, 1))
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
		if len(b.lanes) != 0 {
			t.Error("the lane is kept")
		}
	})
}

// TestHookInsertedAgain: deliveries of a hook that one transaction deletes and inserts again
// are kept, however long the transaction is.
func TestHookInsertedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, answers := newFakeStore(), newStatuses(503, "h1")
		sent := 0
		var b *bench
		b = newBench(t, Options{Store: store}, func(r *http.Request) (*http.Response, error) {
			answer, err := answers.round(r)
			b.mu.Lock()
			defer b.mu.Unlock()
			if answer.StatusCode == 200 {
				sent++
			}
			return answer, err
		}, hostRow(1))
		const many = 500
		for n := range many {
			b.enqueue(t, 1, n, n)
		}
		b.drain(t)
		for _, change := range []hook.RowChange{deleteRow(hook.Webhook, 1), {Table: hook.Webhook, Row: hostRow(1)}} {
			change.XID = 7
			apply(t, b.hooks, change)
			b.hooks.Seen(1, false) // it has several parts
			<-time.After(time.Minute)
		}
		b.hooks.Seen(1, true)
		answers.set("h1", 200)
		b.Retry(1)
		<-time.After(time.Minute)
		synctest.Wait()
		b.mu.Lock()
		defer b.mu.Unlock()
		if sent != many || store.size() != 0 {
			t.Errorf("%d of %d delivered, %d parked:\n%s", sent, many, store.size(), b.log.String())
		}
	})
}

func TestEnqueueBlocksAtMaxBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		b := newBench(t, Options{MaxBytes: 4000}, func(*http.Request) (*http.Response, error) {
			<-gate
			return dispatchtest.Answer(200), nil
		}, dispatchtest.HookRow(1, "http://x/"), dispatchtest.HookRow(2, "http://x/"))
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
		if err := b.Enqueue(ctx, []Delivery{deliveryTo(1, dispatchtest.Event(500, 1), nil)}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		close(gate)
		synctest.Wait()
		b.drain(t)
		if taken != 100 || b.Bytes() != 0 {
			t.Errorf("%d taken, %d bytes held", taken, b.Bytes())
		}

		large := dispatchtest.Event(600, 1)
		large.Payload = make([]byte, 5000)
		if err := b.Enqueue(t.Context(), []Delivery{deliveryTo(1, large, nil), deliveryTo(2, large, nil)}); err != nil {
			t.Fatal(err)
		}
		b.drain(t)
		if s := b.log.String(); !strings.Contains(s, "level=WARN") || !strings.Contains(s, "bound=4000") || !strings.Contains(s, "hooks=\"[1 2]\"") {
			t.Errorf("log:\n%s", s)
		}
		if b.Bytes() != 0 {
			t.Errorf("%d bytes held", b.Bytes())
		}
	})
}

// Hooks that want the same event share its bytes, in whatever form they get it.
func TestBodiesShareThePayload(t *testing.T) {
	e := dispatchtest.Event(1, 1)
	shared := newSharedEvent(e, 3)
	a := shared.message(hook.Target{Hook: 1, Action: e.Action, Payload: true}, 1)
	other := shared.message(hook.Target{Hook: 2, Action: "SPELLED_OTHERWISE", Payload: true}, 2)
	bare := shared.message(hook.Target{Hook: 3, Action: e.Action}, 1)
	for _, m := range []send.Message{a, other} {
		shared := false
		for piece := range m.Body.Pieces() {
			shared = shared || &piece[0] == &e.Payload[0]
		}
		if !shared {
			t.Errorf("%s has a payload of its own", m.Body.Bytes())
		}
	}
	if string(bare.Body.Bytes()) != `{"action": "ANNOTATION_UPDATED"}` {
		t.Errorf("without payload: %s", bare.Body.Bytes())
	}
}

// Deliveries that are unfinished when the process stops are not done.
func TestCloseLeavesWhatIsUnfinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{Concurrency: 2}, func(r *http.Request) (*http.Response, error) {
			if r.Header["webhook-id"][0] == ids(3, 3)[0] { //nolint:staticcheck // written as on the wire
				return dispatchtest.Answer(500), nil
			}
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, dispatchtest.HookRow(1, "http://x/"))
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
		if err := b.Enqueue(t.Context(), []Delivery{deliveryTo(1, dispatchtest.Event(9, 1), nil)}); !errors.Is(err, ErrClosed) {
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
				return dispatchtest.Answer(302), nil
			}
			return dispatchtest.Answer(200), nil
		}, dispatchtest.HookRow(1, "http://x/"))
		b.enqueue(t, 1, 1, 1)
		b.drain(t)
		for labels, want := range map[[2]string]float64{
			{"ANNOTATION_UPDATED", "delivered"}: 1, {"ANNOTATION_UPDATED", "retried"}: 2,
			{"ANNOTATION_UPDATED", "dead"}: 0, {"PROJECT_CREATED", "delivered"}: 0,
		} {
			if got := m.shown(t, "hooktail_deliveries_total", labels[0], "1", labels[1]); got != want {
				t.Errorf("%v: %v, want %v", labels, got, want)
			}
		}
		if got := m.shown(t, "hooktail_delivery_attempts_total", "1", "3xx"); got != 2 {
			t.Errorf("3xx: %v", got)
		}
		if n := m.series(t, "hooktail_deliveries_total"); n != 7*int(filtered) {
			t.Errorf("%d series of deliveries", n)
		}
	})
}

func TestSuccessIsLoggedAsLabelStudioDoes(t *testing.T) {
	b := newBench(t, Options{}, func(*http.Request) (*http.Response, error) { return dispatchtest.Answer(200), nil }, dispatchtest.HookRow(1, "http://x/"))
	b.enqueue(t, 1, 1, 1)
	b.drain(t)
	if s := b.log.String(); !strings.Contains(s, `level=DEBUG msg="Run webhook 1 for action ANNOTATION_UPDATED"`) {
		t.Errorf("log:\n%s", s)
	}
}

func BenchmarkLane(b *testing.B) {
	ok := &http.Response{StatusCode: 200, Body: http.NoBody}
	hooks := newTestHooks(b, dispatchtest.HookRow(1, "http://x/"))
	d := New(Options{
		Hooks: hooks, Metrics: NewMetrics(nil), Log: slog.New(slog.DiscardHandler),
		Sender: send.New(send.Options{Transport: dispatchtest.Writing(ok)}),
	})
	defer d.Close()
	e := dispatchtest.Event(1, 1)
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
