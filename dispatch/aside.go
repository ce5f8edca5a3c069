package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
)

// asideEvery is how often the writer tries again to write what somebody has locked.
const asideEvery = time.Second

// aside is the notes that wait for somebody's lock, in order, so that the others go on.
// What is to follow one of them waits with it. The writer's goroutine alone uses it.
type aside struct {
	notes []note
	keys  map[state.Key]struct{}
	lanes map[*lane]struct{}
}

// put takes a note on.
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

// follows reports whether the note has to wait for one that is there: a change for those
// of the same row, a lane's question for all of the lane's changes.
func (a *aside) follows(n *note) bool {
	if n.ask == nil {
		_, waits := a.keys[n.row.Key]
		return waits
	}
	_, waits := a.lanes[n.lane]
	return waits && n.lane != nil
}

// without puts aside what has to wait, and returns the other notes.
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

// revisit tries again to write what waits for locks, for none of which it waits itself.
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
		w.locked.Worked(ctx, w.log, "what others had locked in hooktail's own tables is free again")
	}
	return nil
}

// setAside puts the notes aside whose rows the error says are locked, and returns the
// others. ok is false if it says that of no row.
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

// reportLocked says now and then that something waits.
func (w *writer) reportLocked(ctx context.Context, err error) {
	w.locked.Failed(ctx, w.log, slog.LevelWarn, "somebody's open transaction has locked rows of hooktail's own tables: what concerns them waits, all else goes on",
		slog.Any("error", err))
}
