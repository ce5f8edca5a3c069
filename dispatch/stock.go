package dispatch

import (
	"context"
	"time"

	"github.com/hooktail/hooktail/dispatch/parking"
)

// write has the store do what the window's notes say. It needs mu.
func (l *lane) write(notes []note) {
	if len(notes) == 0 {
		return
	}
	for i := range notes {
		n := &notes[i]
		n.lane = l
		if n.kind == insert && n.row.State != parking.Dead {
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

// read asks for a part of the tail. What went to the tail before is written first; the
// part need not wait for what comes then. It needs mu.
func (l *lane) read(part parking.Part) {
	part.Hook = l.hook
	l.store.add(note{lane: l, ask: func(context.Context) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !l.closed {
			l.start(func(ctx context.Context) { l.load(ctx, part) })
		}
		return nil
	}})
}

// load reads a part of the tail.
func (l *lane) load(ctx context.Context, part parking.Part) {
	var rows []parking.Row
	err := l.store.persist(ctx, func(ctx context.Context) (err error) {
		rows, err = l.store.store.Tail(ctx, part)
		return err
	})
	if err != nil {
		return
	}
	now := time.Now()
	items, lost := make([]*item, len(rows)), l.network.lost(now)
	for i := range rows {
		items[i] = restored(&rows[i], now, l.policy.Cap)
		items[i].excused = lost
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write(l.window.loaded(items, len(rows) < part.Rows))
	l.fill(now)
}

// suspend ends the storing of a hook's deliveries when they take too much space,
// and reports whether it has. It needs mu.
func (l *lane) suspend(it *item) bool {
	if l.store == nil || !l.backlog.isFull() {
		return false
	}
	l.backlog.suspended, l.backlog.confirmed = true, false
	l.store.add(note{ask: func(ctx context.Context) error {
		err := l.store.store.Suspend(ctx, l.hook, it.event)
		if err == nil {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.backlog.confirmed = true
		}
		return err
	}})
	l.show(time.Now())
	l.log.Error("Webhook suspended: what is parked for it takes all the space that it may take; nothing more is taken on",
		"hook", l.hook, "bytes", l.backlog.bytes, "from", it.event.String(), "remedy", ReasonSuspended.remedy())
	return true
}
