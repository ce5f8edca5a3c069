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
		if s.Held > 0 && s.Held <= d.o.Retry.Cap {
			d.with(s.Hook, func(l *lane, now time.Time) { l.gate.hold = hold{until: now.Add(s.Held), noted: now.Add(s.Held)} })
		}
	}
	for _, b := range backlogs {
		d.with(b.Hook, func(l *lane, now time.Time) {
			// An attempt that a person asked for may have ended a pause, at the latest then.
			if s := d.settings[b.Hook]; !s.Retried.IsZero() {
				l.gate.resumed = now.Add(-s.Ago)
			}
			l.backlog.count(b)
			if b.Parked.Rows > 0 {
				l.write(l.window.resume(d.passed, b.End))
			}
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
	defer d.mu.Unlock()
	d.settings = said
	if d.store == nil || d.closed {
		return
	}
	for _, s := range settings {
		if s.Paused || !s.Suspended.IsZero() || !d.o.Signable(s.Hook) {
			d.lane(s.Hook)
		}
	}
	for _, l := range d.lanes {
		l.set(said[l.hook])
	}
}

func (l *lane) set(s state.Setting) {
	if !s.Suspended.IsZero() {
		l.letGo()
	}
	l.visit(func(now time.Time) {
		l.gate.refused.Store(!l.o.Signable(l.hook))
		before := l.gate.paused
		l.gate.paused = s.Paused || l.gate.halted
		if before && !l.gate.paused {
			l.gate.resumed = now
		}
		if changed := l.backlog.set(!s.Suspended.IsZero()) || l.gate.paused != before; changed && l.gate.paused {
			l.write(l.window.keep(true))
		}
	})
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
		d.with(hook, func(l *lane, _ time.Time) { l.write(l.window.rewind(first)) })
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
			d.each(func(l *lane) { l.backlog.recount(rows[l.hook]) })
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
func (d *Dispatcher) Hasten() {
	d.each(func(l *lane) {
		l.leaving = true
		l.write(l.window.keep(false))
	})
}

// Park ends delivery: no attempt starts, those in flight come to their end, and
// unfinished deliveries are stored. It returns when that is done, or ctx ends. Without a
// Store it only waits for what is in flight.
func (d *Dispatcher) Park(ctx context.Context) error {
	d.mu.Lock()
	d.halted = true
	for _, l := range d.lanes {
		l.mu.Lock()
		l.gate.halted, l.gate.paused = true, true
		if d.store != nil {
			l.write(l.window.keep(true))
		}
		l.mu.Unlock()
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
		l.visit(func(time.Time) {
			l.gate.stopped.Store(0)
			l.revive()
		})
	}
}

// Passed states that the stream has repeated everything that was committed before that
// position, the confirmed one, which only increases. If it is called before Restore, rows of
// commits from there on wait until it is called with a position behind them, since the stream
// will repeat events that precede them.
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
		l.visit(func(time.Time) { d.withholds = l.window.passed(position) || d.withholds })
	}
}

// Ages updates the ages of the oldest parked deliveries.
func (d *Dispatcher) Ages() {
	d.each(func(l *lane) {
		var age time.Duration
		if oldest := l.window.oldest(true); oldest != nil {
			age = time.Since(oldest.committed)
		}
		l.journal.metrics.age(max(0, age))
	})
}

// each calls f for all lanes, with their mu held.
func (d *Dispatcher) each(f func(*lane)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.store == nil || d.closed {
		return
	}
	for _, l := range d.lanes {
		l.mu.Lock()
		f(l)
		l.mu.Unlock()
	}
}

// with visits the lane of the hook, which is created if necessary.
func (d *Dispatcher) with(hook int64, f func(l *lane, now time.Time)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.store != nil && !d.closed {
		l := d.lane(hook)
		l.visit(func(now time.Time) { f(l, now) })
	}
}
