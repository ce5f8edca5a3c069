package dispatch

import (
	"context"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
)

// write needs mu. It passes the window's operations to the store.
func (l *lane) write(operations []operation) {
	if len(operations) == 0 {
		return
	}
	for i := range operations {
		op := &operations[i]
		op.lane = l
		if op.kind == insert && op.row.State != state.Dead {
			l.journal.tally(op.delivery.Action, parked)
			l.journal.failures.stored()
		}
	}
	l.store.add(operations...)
}

// wrote is called by the writer when the operation has been committed.
func (l *lane) wrote(op *operation) {
	l.mu.Lock()
	l.backlog.wrote(op)
	done, shared := l.window.wrote(op)
	l.mu.Unlock()
	if op.kind == insert {
		l.finished(done, shared)
	}
}

// suspends needs mu. It reports whether the hook is suspended, or is from now on: then
// the event is the first that it misses. Missed events are only dropped after the store
// has recorded the suspension.
func (l *lane) suspends(d *delivery) bool {
	if l.backlog.suspended {
		return true
	}
	if l.store == nil || !l.backlog.isFull() {
		return false
	}
	l.backlog.suspended, l.backlog.confirmed = true, false
	l.store.add(operation{ask: func(ctx context.Context) error {
		if err := l.store.store.Suspend(ctx, l.hook, d.event); err != nil {
			return err
		}
		l.letGo()
		return nil
	}})
	l.show(time.Now())
	l.o.Log.Error("Webhook suspended: its parked deliveries have reached their bound; new events are not accepted",
		"hook", l.hook, "bytes", l.backlog.room(), "from", d.event.String(), "remedy", ReasonSuspended.remedy())
	return true
}

// letGo is called when the store has recorded the suspension.
func (l *lane) letGo() {
	l.mu.Lock()
	missed := l.backlog.missed
	l.backlog.confirmed, l.backlog.missed = true, nil
	l.mu.Unlock()
	for _, d := range missed {
		l.finished(d.done, d.shared)
	}
}
