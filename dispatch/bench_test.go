package dispatch

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
)

// bench is a dispatcher on a transport without sockets.
type bench struct {
	*Dispatcher
	hooks *hook.Set
	log   *dispatchtest.Log

	mu   sync.Mutex
	done []int // ordinals of events, in the order in which they were finished
}

func newBench(t testing.TB, o Options, round dispatchtest.Transport, rows ...dispatchtest.Row) *bench {
	t.Helper()
	b := &bench{log: &dispatchtest.Log{}}
	b.hooks = hook.NewSet(hook.Options{Log: b.log.Logger(), Counter: o.Metrics})
	for _, r := range rows {
		apply(t, b.hooks, hook.RowChange{Table: hook.Webhook, Row: r})
	}
	o.Hooks, o.Log = b.hooks, b.log.Logger()
	o.Sender = send.New(send.Options{Transport: round})
	b.Dispatcher = New(o)
	t.Cleanup(b.Close)
	return b
}

func (b *bench) enqueue(t testing.TB, hook int64, event, task int) {
	t.Helper()
	d := deliveryTo(hook, dispatchtest.Event(event, int64(task)), func() {
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

// calls records attempts, with the time since calls was created.
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
	c.list = append(c.list, call{r.Header["webhook-id"][0], r.Header["webhook-attempt"][0], time.Since(c.begun)}) //nolint:staticcheck // written as on the wire
	return len(c.list)
}

func (c *calls) all() []call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.list)
}
