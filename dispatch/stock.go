package dispatch

import (
	"context"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
)

// write needs mu. It passes the window's notes to the store.
func (l *lane) write(notes []note) {
	if len(notes) == 0 {
		return
	}
	for i := range notes {
		n := &notes[i]
		n.lane = l
		if n.kind == insert && n.row.State != state.Dead {
			l.journal.tally(n.item.Action, parked)
			l.journal.failures.stored()
		}
	}
	l.store.add(notes...)
}

// wrote is called by the writer when the note has been committed.
func (l *lane) wrote(n *note) {
	l.mu.Lock()
	l.backlog.wrote(n)
	done, letter := l.window.wrote(n)
	l.mu.Unlock()
	if n.kind == insert {
		l.finished(done, letter)
	}
}

// suspends needs mu. It reports whether the hook is suspended, or is from now on: then
// the event is the first that it misses. Missed events are only dropped after the store
// has recorded the suspension.
func (l *lane) suspends(it *item) bool {
	if l.backlog.suspended {
		return true
	}
	if l.store == nil || !l.backlog.isFull() {
		return false
	}
	l.backlog.suspended, l.backlog.confirmed = true, false
	l.store.add(note{ask: func(ctx context.Context) error {
		if err := l.store.store.Suspend(ctx, l.hook, it.event); err != nil {
			return err
		}
		l.letGo()
		return nil
	}})
	l.show(time.Now())
	l.log.Error("Webhook suspended: its parked deliveries have reached their bound; new events are not accepted",
		"hook", l.hook, "bytes", l.backlog.room(), "from", it.event.String(), "remedy", ReasonSuspended.remedy())
	return true
}

// letGo is called when the store has recorded the suspension.
func (l *lane) letGo() {
	l.mu.Lock()
	missed := l.backlog.missed
	l.backlog.confirmed, l.backlog.missed = true, nil
	l.mu.Unlock()
	for _, it := range missed {
		l.finished(it.done, it.letter)
	}
}
