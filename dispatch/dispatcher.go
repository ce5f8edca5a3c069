package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
)

// ErrClosed is returned once the Dispatcher has been closed.
var ErrClosed = errors.New("dispatcher is closed")

// Options is what a Dispatcher needs.
type Options struct {
	Hooks       *hook.Set
	Sender      sender // a *send.Sender, or what stands in for one
	Concurrency int    // requests in flight per hook; 0 is 8
	InFlight    int    // requests in flight in all; 0 is 256
	MaxBytes    int64  // of what the lanes hold; 0 is 64 MiB
	Retry       Policy
	Store       Store       // nil: what cannot be delivered waits in memory
	MaxParked   int64       // bytes of a hook's rows in the Store; 0: no bound
	KeepBodies  bool        // of the last deliveries, for Body, and how their answers begin
	Permit      func() bool // asked before each attempt; false: none begins any more, and Halt is to follow; nil: always
	Log         *slog.Logger
	Metrics     *Metrics // the same as the Hooks'; nil counts nothing
}

// sender makes one attempt: a POST to a hook, and what became of it. It is safe for
// concurrent use.
type sender interface {
	Send(ctx context.Context, to *hook.Hook, m send.Message) send.Outcome
}

// Dispatcher delivers to each hook in a lane of its own: the events of one task
// in order, one at a time; those of a project with those that concern all of it;
// hooks do not wait for each other. It is safe for concurrent use.
type Dispatcher struct {
	common
	o       Options
	budget  budget
	cancel  context.CancelFunc
	workers workers // makes the attempts, and reads from the Store
	looking sync.WaitGroup

	mu        sync.Mutex
	lanes     map[int64]*lane
	passed    cdc.LSN // see Passed; 0: it was not called
	withholds bool    // a lane may have rows of later commits
	halted    bool    // Park was called
	closed    bool
}

// New is a Dispatcher that watches the hooks; Close it.
func New(o Options) *Dispatcher {
	if o.Concurrency == 0 {
		o.Concurrency = 8
	}
	if o.InFlight == 0 {
		o.InFlight = 256
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 64 << 20
	}
	if o.Permit == nil {
		o.Permit = func() bool { return true }
	}
	o.Retry = o.Retry.withDefaults()
	ctx, cancel := context.WithCancel(context.Background())
	d := &Dispatcher{o: o, cancel: cancel, workers: newWorkers(), lanes: make(map[int64]*lane)}
	d.slots.most, d.slots.wake = o.InFlight, func(l *lane) { d.workers.Go(l.granted) }
	d.budget.max, d.recorder.bodies = o.MaxBytes, o.KeepBodies
	d.hooks, d.sender, d.policy, d.log, d.maxParked = o.Hooks, o.Sender, o.Retry, o.Log, o.MaxParked
	d.finished, d.retire, d.permit = d.finish, d.release, o.Permit
	d.start = func(work func(context.Context)) { d.workers.Go(func() { work(ctx) }) }
	if o.Store != nil {
		d.store = newWriter(o.Store, o.Log)
		d.looking.Go(func() { d.look(ctx) })
	}
	o.Hooks.OnChange(d.hookChanged)
	return d
}

// Enqueue takes the deliveries on, in order, and blocks while the lanes hold more
// than MaxBytes. The deliveries of one event belong together, in one call and
// next to each other, since they share its bytes. After an error those of the
// events from some point on have not been taken on; their Done is never called.
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

// enqueue takes the deliveries of one event on.
func (d *Dispatcher) enqueue(ctx context.Context, deliveries []Delivery) error {
	letter := newLetter(deliveries[0].Event, len(deliveries))
	size := letter.bytes
	if size > d.o.MaxBytes {
		d.warnOfSize(letter, deliveries, size)
	}
	if err := d.budget.take(ctx, size, len(deliveries), d.relieve); err != nil {
		return err
	}
	now := time.Now()
	lost := d.network.lost(now)
	for i := range deliveries {
		it := newItem(deliveries[i], letter, now)
		it.excused = lost
		if err := d.add(it); err != nil {
			return err
		}
	}
	return nil
}

// add hands the item to its lane, which cannot be retired meanwhile.
func (d *Dispatcher) add(it *item) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return ErrClosed
	}
	d.lane(it.Hook).add(it)
	return nil
}

func (d *Dispatcher) warnOfSize(l *letter, deliveries []Delivery, size int64) {
	hooks := make([]int64, len(deliveries))
	for i := range deliveries {
		hooks[i] = deliveries[i].Hook
	}
	d.o.Log.Warn("Event is larger than HOOKTAIL_MEMORY allows: it passes alone, while all others wait",
		"event", l.id, "action", string(l.event.Action), "hooks", hooks, "bytes", size, "bound", d.o.MaxBytes)
}

// lane needs the lock. It is the hook's lane, made when it is first needed.
func (d *Dispatcher) lane(hook int64) *lane {
	l := d.lanes[hook]
	if l == nil {
		l = d.newLane(hook, d.o.Concurrency, d.o.Metrics.of(hook))
		l.gate.halted, l.gate.paused = d.halted, d.halted
		d.lanes[hook] = l
		d.windows.lanes.Add(1)
	}
	return l
}

func (d *Dispatcher) hookChanged(hook int64) {
	d.mu.Lock()
	l := d.lanes[hook]
	d.mu.Unlock()
	if l == nil {
		return
	}
	l.changed()
	d.release(hook)
}

// release lets go of the empty lane of a hook that was deleted; ids of hooks do
// not come again.
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
		d.recorder.forget(hook)
	}
}

// finish gives an item's bytes back and calls its Done.
func (d *Dispatcher) finish(done func(), l *letter) {
	if done != nil {
		done()
	}
	var bytes int64
	if l.left.Add(-1) == 0 {
		bytes = l.bytes
	}
	d.budget.give(bytes, 1)
}

// Bytes is about how much memory the lanes hold.
func (d *Dispatcher) Bytes() int64 { return d.budget.held() }

// Drain waits until all that was enqueued is finished or stored, or ctx ends.
func (d *Dispatcher) Drain(ctx context.Context) error {
	if err := d.budget.drained(ctx); err != nil {
		return fmt.Errorf("drain deliveries: %w", err)
	}
	return nil
}

// writeWithin is how long Close waits for the store.
const writeWithin = 5 * time.Second

// Unfinished is how many deliveries the Dispatcher answers for with nothing but
// memory.
func (d *Dispatcher) Unfinished() int { return d.budget.count() }

// Close cancels what is in flight, waits for it to end, and leaves what is
// unfinished. What the Store is to know is written. Enqueue and Drain return
// ErrClosed from then on.
func (d *Dispatcher) Close() { d.end(writeWithin) }

// Halt is Close for one who may not deliver any more: nothing more is written
// either, since what the Store has may be somebody else's by now. What was not
// written is unfinished, and comes again. Close may follow.
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
