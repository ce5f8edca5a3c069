package dispatch

import (
	"context"
	"fmt"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// Restore makes the lanes continue with the Store's content. It must be called once,
// before Enqueue.
func (d *Dispatcher) Restore(backlogs []state.Backlog, settings []state.Setting) {
	d.Settings(settings)
	for _, s := range settings {
		if s.Held > 0 {
			d.with(s.Hook, func(l desk) { l.restoreHold(s.Held) })
		}
	}
	for _, b := range backlogs {
		d.with(b.Hook, func(l desk) {
			l.restoreResumed(d.settings[b.Hook])
			l.begin(b, d.passed)
			d.withholds = d.withholds || d.passed > 0
		})
	}
}

// Settings updates the settings of hooks; settings contains all hooks that have any.
func (d *Dispatcher) Settings(settings []state.Setting) {
	said := make(map[int64]state.Setting, len(settings))
	for _, s := range settings {
		said[s.Hook] = s
	}
	d.mu.Lock()
	d.settings = said
	d.mu.Unlock()
	for _, s := range settings {
		if s.Paused || !s.Suspended.IsZero() {
			d.with(s.Hook, func(desk) {})
		}
	}
	d.each(func(l desk) { l.set(said[l.hook]) })
}

// Redriven adds rows that were dead and are parked again.
func (d *Dispatcher) Redriven(rows []state.Row) {
	from := make(map[int64]mapping.ID)
	for i := range rows {
		first, known := from[rows[i].Hook]
		if !known || state.Compare(rows[i].Event, first) < 0 {
			from[rows[i].Hook] = rows[i].Event
		}
	}
	for hook, first := range from {
		d.with(hook, func(l desk) { l.redriven(first) })
	}
}

// Recount replaces the numbers of the Store's rows, which others may change, and waits
// until it is done.
func (d *Dispatcher) Recount(ctx context.Context, count func(context.Context) ([]state.Backlog, error)) error {
	counted := make(chan error, 1)
	d.store.add(operation{ask: func(ctx context.Context) error { // between two transactions of the writer
		backlogs, err := count(ctx)
		rows := make(map[int64]state.Backlog, len(backlogs))
		for _, b := range backlogs {
			rows[b.Hook] = b
		}
		if err == nil {
			d.each(func(l desk) { l.recount(rows[l.hook]) })
		}
		counted <- err
		return nil
	}})
	select {
	case err := <-counted:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Hasten prepares for the end: deliveries that wait for another attempt are stored now,
// and later failures immediately.
func (d *Dispatcher) Hasten() { d.each(desk.hasten) }

// Park ends delivery: no attempt starts, those in flight come to their end, and
// unfinished deliveries are stored. It returns when that is done, or ctx ends. Without a
// Store it only waits for what is in flight.
func (d *Dispatcher) Park(ctx context.Context) error {
	d.mu.Lock()
	d.halted = true
	for _, l := range d.lanes {
		desk{l}.halt()
	}
	d.mu.Unlock()
	if err := d.workers.wait(ctx); err != nil {
		return fmt.Errorf("wait for what is in flight: %w", err)
	}
	if d.store == nil {
		return nil
	}
	if err := d.budget.drained(ctx); err != nil {
		return fmt.Errorf("park deliveries: %w", err)
	}
	return nil
}

// Retry retries all waiting deliveries of the hook immediately, in order, whatever they
// wait for: a back-off, the next probe of a failing hook, a pause requested by the
// receiver, or the end of a 410. It is for a person who knows, or has seen, that the
// receiver works again.
func (d *Dispatcher) Retry(hook int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l := d.lanes[hook]; l != nil && !d.closed {
		l.retry()
	}
}

// Passed states that the stream has repeated everything committed up to that position,
// the confirmed one, which only increases. If it is called before Restore, rows of later
// commits wait until it is called with their position, since the stream will repeat
// events that precede them.
func (d *Dispatcher) Passed(position cdc.LSN) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || position <= d.passed {
		return
	}
	d.passed = position
	if !d.withholds {
		return
	}
	d.withholds = false
	for _, l := range d.lanes {
		d.withholds = desk{l}.passed(position) || d.withholds
	}
}

// Ages updates the ages of the oldest parked deliveries.
func (d *Dispatcher) Ages() { d.each(desk.measure) }

func (d *Dispatcher) each(f func(desk)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.store == nil || d.closed {
		return
	}
	for _, l := range d.lanes {
		f(desk{l})
	}
}

// with calls f for the lane of the hook, which is created if necessary.
func (d *Dispatcher) with(hook int64, f func(desk)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.store != nil && !d.closed {
		f(desk{d.lane(hook)})
	}
}

// desk has the methods of a lane for other callers. They take the lane's mu; the methods
// of lane itself need it, or state otherwise.
type desk struct{ *lane }

// begin is the lane's first look at its stored deliveries. Those of commits later than
// passed wait for the stream, unless it cannot have them; 0: none do.
func (l desk) begin(b state.Backlog, passed cdc.LSN) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.backlog.count(b)
	if b.Parked.Rows == 0 {
		return
	}
	l.write(l.window.resume(passed, b.End))
	l.fill(time.Now())
}

// passed reports whether rows still wait for the stream.
func (l desk) passed(position cdc.LSN) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.fill(time.Now())
	return l.window.passed(position)
}

// reconnect retries all waiting deliveries, unless the receiver has requested a pause, or
// has answered all along: the back-off of what it refuses has nothing to do with the network.
func (l desk) reconnect() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.cut {
		return
	}
	l.cut = false
	l.health.revive()
	l.window.hasten()
	now := time.Now()
	l.show(now)
	l.fill(now)
}

func (l desk) recount(b state.Backlog) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.backlog.recount(b)
}

func (l desk) redriven(first mapping.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write(l.window.rewind(first))
	l.fill(time.Now())
}

// set applies the setting to the lane.
func (l desk) set(s state.Setting) {
	if !s.Suspended.IsZero() {
		l.letGo()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.gate.paused
	l.gate.paused = s.Paused || l.gate.halted
	if before && !l.gate.paused {
		l.gate.resumed = time.Now()
	}
	if !l.backlog.set(!s.Suspended.IsZero()) && l.gate.paused == before {
		return
	}
	if l.gate.paused {
		l.write(l.window.keep(true))
	}
	now := time.Now()
	l.show(now)
	l.fill(now)
}

// restoreResumed takes the time at which a person last asked for an attempt for that of the
// end of the last pause, which is not later.
func (l desk) restoreResumed(s state.Setting) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !s.Retried.IsZero() {
		l.gate.resumed = time.Now().Add(-s.Ago)
	}
}

func (l desk) hasten() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leaving = true
	l.write(l.window.keep(false))
}

func (l desk) halt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gate.halted, l.gate.paused = true, true
	if l.store != nil {
		l.write(l.window.keep(true))
	}
}

// measure updates the age of the oldest parked delivery.
func (l desk) measure() {
	l.mu.Lock()
	defer l.mu.Unlock()
	var age time.Duration
	if oldest := l.window.oldest(true); oldest != nil {
		age = time.Since(oldest.committed)
	}
	l.journal.metrics.age(max(0, age))
}
