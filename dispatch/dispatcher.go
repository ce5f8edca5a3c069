package dispatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/dispatch/state"
)

// ErrClosed is returned after the Dispatcher has been closed.
var ErrClosed = errors.New("dispatcher is closed")

// Options configures a Dispatcher.
type Options struct {
	Hooks       *hook.Set
	Sender      sender // a *send.Sender or a replacement
	Concurrency int    // requests in flight per hook; default 8
	InFlight    int    // requests in flight in all; default 256
	MaxBytes    int64  // bytes held by the lanes; default 64 MiB
	Retry       Policy
	Store       Store                 // nil: failed deliveries wait in memory
	MaxParked   int64                 // bytes of a hook's rows in the Store; 0: no bound
	Signable    func(hook int64) bool // false: the hook's signing secret is unusable; asked when Settings is called; nil: always true
	KeepBodies  bool                  // keep bodies of the last deliveries, for Body, and beginnings of their answers
	Permit      func() bool           // called before each attempt and each request; false: none starts after this; call Halt next; nil: always
	Log         *slog.Logger
	Metrics     *Metrics // the same as the Hooks'; nil: no metrics
}

// sender makes one attempt, a POST to a hook, and returns its outcome. It is safe for
// concurrent use.
type sender interface {
	Send(ctx context.Context, to *hook.Hook, m send.Message) send.Outcome
}

// Dispatcher delivers to each hook in a lane of its own: the events of one task in order,
// one at a time; events of a whole project in order with those of its tasks. Hooks do not
// wait for each other. It is safe for concurrent use.
type Dispatcher struct {
	common
	budget  budget
	cancel  context.CancelFunc
	workers workers // makes the attempts, and reads from the Store
	looking sync.WaitGroup

	mu        sync.Mutex
	lanes     map[int64]*lane
	settings  map[int64]state.Setting // see Settings
	passed    cdc.LSN                 // see Passed; 0: not called yet
	withholds bool                    // a lane may have rows of later commits
	halted    bool                    // Park was called
	closed    bool
}

// New returns a Dispatcher that watches the hooks. It must be closed.
func New(o Options) *Dispatcher {
	o.Concurrency = cmp.Or(o.Concurrency, 8)
	o.InFlight = cmp.Or(o.InFlight, 256)
	o.MaxBytes = cmp.Or(o.MaxBytes, 64<<20)
	if o.Permit == nil {
		o.Permit = func() bool { return true }
	}
	if o.Signable == nil {
		o.Signable = func(int64) bool { return true }
	}
	o.Retry = o.Retry.withDefaults()
	ctx, cancel := context.WithCancel(send.While(context.Background(), o.Permit))
	d := &Dispatcher{common: common{o: o, began: time.Now()}, cancel: cancel, workers: newWorkers(), lanes: make(map[int64]*lane)}
	d.slots.most, d.slots.wake = o.InFlight, func(l *lane) { d.workers.Go(l.granted) }
	d.budget.max, d.bodies = o.MaxBytes, o.KeepBodies
	d.finished, d.retire = d.finish, d.release
	d.start = func(work func(context.Context)) { d.workers.Go(func() { work(ctx) }) }
	if o.Store != nil {
		d.store = newWriter(o.Store, o.Log)
		d.looking.Go(func() { relief{d}.look(ctx) })
	}
	o.Hooks.OnChange(d.hookChanged)
	return d
}

// Enqueue accepts the deliveries in order, and blocks while the lanes hold more than
// MaxBytes. The deliveries of one event must be adjacent in one call, since they share
// its bytes. After an error, the deliveries of some of the last events have not been
// accepted; their Done is never called.
func (d *Dispatcher) Enqueue(ctx context.Context, deliveries []Delivery) error {
	for len(deliveries) > 0 {
		n := 1
		for n < len(deliveries) && deliveries[n].Event == deliveries[0].Event {
			n++
		}
		if err := d.enqueue(ctx, deliveries[:n]); err != nil {
			return fmt.Errorf("enqueue event %s: %w", deliveries[0].Event.ID, err)
		}
		deliveries = deliveries[n:]
	}
	return nil
}

// enqueue accepts the deliveries of one event, while no lane can be removed.
func (d *Dispatcher) enqueue(ctx context.Context, deliveries []Delivery) error {
	shared := newSharedEvent(deliveries[0].Event, len(deliveries))
	if size := shared.load.own + shared.load.shared; size > d.o.MaxBytes {
		hooks := make([]int64, len(deliveries))
		for i := range deliveries {
			hooks[i] = deliveries[i].Hook
		}
		d.o.Log.Warn("Event is larger than HOOKTAIL_MEMORY allows: it passes alone, while all others wait",
			"event", shared.id, "action", string(shared.event.Action), "hooks", hooks, "bytes", size, "bound", d.o.MaxBytes)
	}
	if err := d.budget.reserve(ctx, shared.load, len(deliveries), relief{d}.relieve); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return ErrClosed
	}
	now := time.Now()
	lost := d.network.lost(now)
	for i := range deliveries {
		queued := newDelivery(deliveries[i], shared, now)
		queued.excused = lost
		d.lane(queued.Hook).add(queued)
	}
	return nil
}

// lane needs the lock. It returns the hook's lane, and creates it on first use.
func (d *Dispatcher) lane(hook int64) *lane {
	l := d.lanes[hook]
	if l == nil {
		l = d.newLane(hook)
		l.gate.halted = d.halted
		l.set(d.settings[hook]) // it may have outlived an earlier hook with the id
		d.lanes[hook] = l
		d.windows.lanes.Add(1)
	}
	return l
}

func (d *Dispatcher) hookChanged(hook int64) {
	d.mu.Lock()
	if l := d.lanes[hook]; l != nil {
		l.changed()
	}
	d.mu.Unlock()
	d.release(hook)
}

// release removes the empty lane of a deleted hook.
func (d *Dispatcher) release(hook int64) {
	if _, ok := d.o.Hooks.Hook(hook); ok {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if l := d.lanes[hook]; l != nil && l.isEmpty() {
		l.journal.failures.close()
		delete(d.lanes, hook)
		d.windows.lanes.Add(-1)
		d.o.Metrics.Forget(hook)
		d.forget(hook)
	}
}

// finish returns a delivery's bytes and calls its Done.
func (d *Dispatcher) finish(done func(), shared *sharedEvent) {
	if done != nil {
		done()
	}
	var last load
	if shared.left.Add(-1) == 0 {
		last = shared.load
	}
	d.budget.give(last, 1)
}

// Bytes returns the approximate memory of the lanes.
func (d *Dispatcher) Bytes() int64 {
	bytes, _ := d.budget.held()
	return bytes
}

// Drain waits until all enqueued deliveries are finished or stored, or ctx ends.
func (d *Dispatcher) Drain(ctx context.Context) error {
	if err := d.budget.drained(ctx); err != nil {
		return fmt.Errorf("drain deliveries: %w", err)
	}
	return nil
}

// writeWithin bounds Close's wait for the store.
const writeWithin = 5 * time.Second

// Unfinished returns the number of deliveries that are only in memory.
func (d *Dispatcher) Unfinished() int {
	_, deliveries := d.budget.held()
	return deliveries
}

// Close cancels requests in flight, waits for their end, and leaves the rest unfinished.
// Pending changes are written to the Store. Enqueue and Drain return ErrClosed
// afterwards.
func (d *Dispatcher) Close() { d.end(writeWithin) }

// Halt is Close for an instance that may no longer deliver: it writes nothing either,
// since the Store may belong to another instance by now. What was not written is
// unfinished, and comes again. Close may follow.
func (d *Dispatcher) Halt() { d.end(0) }

func (d *Dispatcher) end(patience time.Duration) {
	d.o.Hooks.OnChange(nil)
	d.mu.Lock()
	d.closed = true
	for _, l := range d.lanes {
		l.close()
	}
	d.mu.Unlock()
	d.budget.close()
	d.cancel()
	d.looking.Wait()
	_ = d.workers.wait(context.Background())
	if d.store != nil {
		d.store.close(patience)
	}
}
