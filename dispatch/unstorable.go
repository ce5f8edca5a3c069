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

// apply makes the changes of the operations in one transaction. If the store refuses one of
// them for good, it finds out which: no delivery prevents others from being stored, or the
// slot from advancing.
func (w *writer) apply(ctx context.Context, operations []operation) error {
	b := w.batch(operations)
	var refused error
	var free []operation // operations that are not among the locked ones
	var locked bool
	begun := time.Now()
	err := w.persist(ctx, func(ctx context.Context) error {
		err := w.store.Apply(ctx, b)
		if free, locked = w.setAside(ctx, operations, err); locked {
			return nil
		}
		if state.IsRefused(err) || state.IsSuspect(err) && (len(operations) > 1 || time.Since(begun) >= suspectFor) {
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
		for i := range operations {
			operations[i].lane.wrote(&operations[i])
		}
		return nil
	case len(operations) == 1:
		return w.reduce(ctx, &operations[0], refused)
	}
	half := len(operations) / 2
	if err := w.apply(ctx, operations[:half]); err != nil {
		return err
	}
	return w.apply(ctx, operations[half:])
}

// reduce makes the reduced change of an operation that the store refuses. A delivery is
// stored as dead, without its body: then only numbers of it are left, and a table that
// refuses these refuses every delivery, so it is retried. An existing row that cannot be
// changed remains, and comes again after the next start.
func (w *writer) reduce(ctx context.Context, op *operation, refused error) error {
	locked := false
	switch op.kind {
	case insert:
		op.row = op.row.Bodiless()
		b := state.Batch{Insert: []state.Row{op.row}}
		err := w.persist(ctx, func(ctx context.Context) error {
			err := w.store.Apply(ctx, b)
			if _, locked = w.setAside(ctx, []operation{*op}, err); locked {
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
	case entomb:
		b := state.Batch{Bury: []state.Attempt{{Key: op.row.Key, Attempts: op.row.Attempts, Reason: op.row.Reason, Bodiless: true}}}
		err := w.persist(ctx, func(ctx context.Context) error {
			err := w.store.Apply(ctx, b)
			if _, locked = w.setAside(ctx, []operation{*op}, err); locked || state.IsRefused(err) {
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
	op.lane.journal.reportUnstorable(op, refused)
	op.lane.wrote(op)
	return nil
}

// reportUnstorable logs and counts an operation that the store refused. It omits the
// server's message, which may quote the payload.
func (j *journal) reportUnstorable(op *operation, refused error) {
	attrs := []slog.Attr{
		slog.Int64("hook", j.hook), slog.String("action", string(op.delivery.Action)), slog.String("event", op.delivery.event.String()),
		slog.Int("bytes", op.delivery.bytes), slog.String("refused", state.Explain(refused)),
	}
	if op.kind != insert {
		j.log.LogAttrs(context.Background(), slog.LevelError, "Stored delivery could not be changed: the database refuses the change, and it may be sent again after the next start", attrs...)
		return
	}
	j.tally(op.delivery.Action, dead)
	j.log.LogAttrs(context.Background(), slog.LevelError, "Delivery cannot be stored: it is dead, without its body", append(attrs, fate(ReasonUnstorable)...)...)
}
