package dispatch

import (
	"cmp"
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
	if len(operations) == 0 {
		return nil
	}
	b := w.batch(operations)
	var refused error
	var free []operation // operations that are not among the locked ones
	var locked bool
	var again bool // not the first try
	var works bool // the store has made another change since the last try
	begun := time.Now()
	err := w.persist(ctx, func(ctx context.Context) error {
		if again && w.applyWhole(ctx, operations) {
			return nil
		}
		again = true
		err := w.store.Apply(ctx, b)
		if free, locked = w.setAside(ctx, operations, err); locked {
			return nil
		}
		if isRefused(operations, err, works) {
			refused = err
			return nil
		}
		works = state.IsSuspect(err) && time.Since(begun) >= suspectFor && w.works(ctx)
		return err
	})
	switch {
	case err != nil:
		return err
	case locked:
		return w.apply(ctx, free)
	case refused == nil:
		for i := range operations {
			operations[i].written()
		}
		return nil
	case len(operations) == 1:
		return w.reduce(ctx, operations, refused)
	}
	half := len(operations) / 2
	if err := w.apply(ctx, operations[:half]); err != nil {
		return err
	}
	return w.apply(ctx, operations[half:])
}

// works reports whether the store makes a change that concerns no delivery.
func (w *writer) works(ctx context.Context) bool {
	return w.store.Apply(ctx, state.Batch{Delete: []state.Key{{}}, AtOnce: w.atOnce}) == nil
}

// applyWhole tries to store the only operation's delivery with its body again, if the store
// has refused it without the body as well: then the delivery was not at fault.
func (w *writer) applyWhole(ctx context.Context, operations []operation) bool {
	op := &operations[0]
	if len(operations) > 1 || op.whole == nil {
		return false
	}
	whole := *op
	whole.row, whole.whole, whole.refused = *op.whole, nil, nil
	if w.store.Apply(ctx, w.batch([]operation{whole})) != nil {
		return false
	}
	*op = whole
	return true
}

// isRefused reports whether the store refuses the operations for good. works states that it
// has made another change since the previous try: an error about size is of the server
// otherwise, such as one that has run out of locks.
func isRefused(operations []operation, err error, works bool) bool {
	if op := &operations[0]; len(operations) == 1 && op.refused != nil {
		return op.kind != insert && state.IsRefused(err)
	}
	return state.IsRefused(err) || state.IsSuspect(err) && (len(operations) > 1 || works)
}

// reduce makes the reduced change of the only operation, which the store refuses. A delivery
// is stored as dead, without its body: then only numbers of it are left, and a table that
// refuses these refuses every delivery, so it is retried, with the body too. An existing row
// that cannot be changed remains, and comes again after the next start.
func (w *writer) reduce(ctx context.Context, operations []operation, refused error) error {
	op := &operations[0]
	again := op.refused != nil
	op.refused = cmp.Or(op.refused, refused)
	if again || op.kind == update || op.kind == remove {
		op.written()
		return nil
	}
	if op.kind == insert {
		op.whole = new(op.row)
		op.row = op.row.Bodiless()
	}
	return w.apply(ctx, operations)
}

// written passes an operation that has been committed, or was refused for good, to its lane.
func (op *operation) written() {
	if op.refused != nil {
		op.lane.journal.reportUnstorable(op)
	}
	op.lane.wrote(op)
}

// reportUnstorable logs and counts an operation that the store refused. It omits the
// server's message, which may quote the payload.
func (j *journal) reportUnstorable(op *operation) {
	attrs := []slog.Attr{
		slog.Int64("hook", j.hook), slog.String("action", string(op.delivery.Action)), slog.String("event", op.delivery.event.String()),
		slog.Int("bytes", op.delivery.bytes), slog.String("refused", state.Explain(op.refused)),
	}
	if op.kind != insert {
		j.log.LogAttrs(context.Background(), slog.LevelError, "Stored delivery could not be changed: the database refuses the change, and it may be sent again after the next start", attrs...)
		return
	}
	j.tally(op.delivery.Action, dead)
	j.log.LogAttrs(context.Background(), slog.LevelError, "Delivery cannot be stored: it is dead, without its body", append(attrs, fate(ReasonUnstorable)...)...)
}
