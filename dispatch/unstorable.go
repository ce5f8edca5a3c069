package dispatch

import (
	"context"
	"log/slog"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
)

// suspectFor is how long errors about the size of a single delivery must last before they
// are believed.
const suspectFor = time.Minute

// apply makes the changes of the notes in one transaction. If the store refuses one of
// them for good, it finds out which: no delivery prevents others from being stored, or
// the slot from advancing.
func (w *writer) apply(ctx context.Context, notes []note) error {
	b := w.batch(notes)
	var refused error
	var free []note // notes that are not among the locked ones
	var locked bool
	begun := time.Now()
	err := w.persist(ctx, func(ctx context.Context) error {
		err := w.store.Apply(ctx, b)
		if free, locked = w.setAside(ctx, notes, err); locked {
			return nil
		}
		if state.IsRefused(err) || state.IsSuspect(err) && (len(notes) > 1 || time.Since(begun) >= suspectFor) {
			refused = err
			return nil
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case locked && len(free) == 0:
		return nil
	case locked:
		return w.apply(ctx, free)
	case refused == nil:
		for i := range notes {
			notes[i].lane.wrote(&notes[i])
		}
		return nil
	case len(notes) == 1:
		return w.reduce(ctx, &notes[0], refused)
	}
	half := len(notes) / 2
	if err := w.apply(ctx, notes[:half]); err != nil {
		return err
	}
	return w.apply(ctx, notes[half:])
}

// reduce makes the reduced change of a note that the store refuses. A delivery is stored
// as dead, without its body: then only numbers of it are left, and a table that refuses
// these refuses every delivery, so it is retried. An existing row that cannot be changed
// remains, and comes again after the next start.
func (w *writer) reduce(ctx context.Context, n *note, refused error) error {
	locked := false
	switch n.kind {
	case insert:
		n.row = n.row.Bodiless()
		b := state.Batch{Insert: []state.Row{n.row}}
		err := w.persist(ctx, func(ctx context.Context) error {
			err := w.store.Apply(ctx, b)
			if _, locked = w.setAside(ctx, []note{*n}, err); locked {
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
	case entomb:
		b := state.Batch{Bury: []state.Attempt{{Key: n.row.Key, Attempts: n.row.Attempts, Reason: n.row.Reason, Bodiless: true}}}
		err := w.persist(ctx, func(ctx context.Context) error {
			err := w.store.Apply(ctx, b)
			if _, locked = w.setAside(ctx, []note{*n}, err); locked || state.IsRefused(err) {
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if locked {
		return nil
	}
	n.lane.journal.reportUnstorable(n, refused)
	n.lane.wrote(n)
	return nil
}

// reportUnstorable logs and counts a note that the store refused. It omits the server's
// message, which may quote the payload.
func (j *journal) reportUnstorable(n *note, refused error) {
	attrs := []slog.Attr{
		slog.Int64("hook", j.hook), slog.String("action", string(n.item.Action)), slog.String("event", n.item.event.String()),
		slog.Int("bytes", n.item.bytes), slog.String("refused", state.Explain(refused)),
	}
	if n.kind != insert {
		j.log.LogAttrs(context.Background(), slog.LevelError, "Stored delivery could not be changed: the database refuses the change, and it may be sent again after the next start", attrs...)
		return
	}
	j.tally(n.item.Action, dead)
	j.log.LogAttrs(context.Background(), slog.LevelError, "Delivery cannot be stored: it is dead, without its body", append(attrs, fate(ReasonUnstorable)...)...)
}
