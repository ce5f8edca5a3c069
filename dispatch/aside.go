package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
)

// asideEvery is the pause between attempts to write notes whose rows are locked.
const asideEvery = time.Second

// aside holds notes whose rows are locked by another session, in order, so that others
// can proceed. Notes that must follow them wait, too. Only the writer's goroutine uses
// it.
type aside struct {
	notes []note
	keys  map[state.Key]struct{}
	lanes map[*lane]struct{}
}

// put adds a note.
func (a *aside) put(n note) {
	if a.keys == nil {
		a.keys, a.lanes = make(map[state.Key]struct{}), make(map[*lane]struct{})
	}
	a.notes = append(a.notes, n)
	if n.ask == nil {
		a.keys[n.row.Key] = struct{}{}
		a.lanes[n.lane] = struct{}{}
	}
}

// follows reports whether the note must wait for one that was set aside: a change waits
// for changes of the same row, a lane's question for all changes of the lane.
func (a *aside) follows(n *note) bool {
	if n.ask == nil {
		_, waits := a.keys[n.row.Key]
		return waits
	}
	_, waits := a.lanes[n.lane]
	return waits && n.lane != nil
}

// without sets aside the notes that must wait, and returns the others.
func (a *aside) without(notes []note, waits func(*note) bool) []note {
	if len(a.notes) == 0 && waits == nil {
		return notes
	}
	free := make([]note, 0, len(notes))
	for i := range notes {
		if a.follows(&notes[i]) || waits != nil && waits(&notes[i]) {
			a.put(notes[i])
		} else {
			free = append(free, notes[i])
		}
	}
	return free
}

// revisit tries again to write what was set aside, without waiting for locks.
func (w *writer) revisit(ctx context.Context) error {
	notes := w.aside.notes
	if len(notes) == 0 {
		return nil
	}
	w.aside, w.atOnce = aside{}, true
	defer func() { w.atOnce = false }()
	for len(notes) > 0 {
		n := portion(notes)
		if err := w.write(ctx, notes[:n:n]); err != nil {
			return err
		}
		notes = notes[n:]
	}
	if len(w.aside.notes) == 0 {
		w.locked.Worked(ctx, w.log, "locked rows of hooktail's own tables are free again")
	}
	return nil
}

// setAside sets aside the notes whose rows are locked according to the error, and returns
// the others. ok is false if the error names no row.
func (w *writer) setAside(ctx context.Context, notes []note, err error) (rest []note, ok bool) {
	fault, ok := errors.AsType[*state.LockedError](err)
	if !ok || len(fault.Keys) == 0 {
		return notes, false
	}
	locked := make(map[state.Key]struct{}, len(fault.Keys))
	for _, key := range fault.Keys {
		locked[key] = struct{}{}
	}
	rest = w.aside.without(notes, func(n *note) bool {
		_, is := locked[n.row.Key]
		return is
	})
	w.reportLocked(ctx, fault)
	return rest, true
}

// reportLocked logs from time to time that something waits.
func (w *writer) reportLocked(ctx context.Context, err error) {
	w.locked.Failed(ctx, w.log, slog.LevelWarn, "another session's open transaction has locked rows of hooktail's own tables: only their deliveries wait",
		slog.Any("error", err))
}
