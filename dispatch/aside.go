package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
)

// asideEvery is the pause between attempts to write operations whose rows are locked.
const asideEvery = time.Second

// aside holds operations whose rows are locked by another session, in order, so that others
// can proceed. Operations that must follow them wait, too. Only the writer's goroutine uses it.
type aside struct {
	operations []operation
	keys       map[state.Key]struct{} // of the changes
}

func (a *aside) put(op operation) {
	if a.keys == nil {
		a.keys = make(map[state.Key]struct{})
	}
	a.operations = append(a.operations, op)
	if op.ask == nil {
		a.keys[op.row.Key] = struct{}{}
	}
}

// follows reports whether the operation must wait for one that was set aside: a change
// waits for changes of the same row, a lane's question for all changes of the lane.
func (a *aside) follows(op *operation) bool {
	if op.ask == nil {
		_, waits := a.keys[op.row.Key]
		return waits
	}
	return op.lane != nil && slices.ContainsFunc(a.operations, func(o operation) bool { return o.ask == nil && o.lane == op.lane })
}

// without sets aside the operations that must wait, and returns the others.
func (a *aside) without(operations []operation, waits func(*operation) bool) []operation {
	if len(a.operations) == 0 && waits == nil {
		return operations
	}
	free := make([]operation, 0, len(operations))
	for i := range operations {
		if a.follows(&operations[i]) || waits != nil && waits(&operations[i]) {
			a.put(operations[i])
		} else {
			free = append(free, operations[i])
		}
	}
	return free
}

// revisit tries again to write what was set aside, without waiting for locks.
func (w *writer) revisit(ctx context.Context) error {
	operations := w.aside.operations
	if len(operations) == 0 {
		return nil
	}
	w.aside, w.atOnce = aside{}, true
	defer func() { w.atOnce = false }()
	for len(operations) > 0 {
		n := portion(operations)
		if err := w.write(ctx, operations[:n:n]); err != nil {
			return err
		}
		operations = operations[n:]
	}
	if len(w.aside.operations) == 0 {
		w.locked.Worked(ctx, w.log, "locked rows of hooktail's own tables are free again")
	}
	return nil
}

// setAside sets aside the operations whose rows are locked according to the error, and
// returns the others. ok is false if the error names no row.
func (w *writer) setAside(ctx context.Context, operations []operation, err error) (rest []operation, ok bool) {
	fault, ok := errors.AsType[*state.LockedError](err)
	if !ok || len(fault.Keys) == 0 {
		return operations, false
	}
	rest = w.aside.without(operations, func(op *operation) bool { return slices.Contains(fault.Keys, op.row.Key) })
	w.reportLocked(ctx, fault)
	return rest, true
}

// reportLocked logs from time to time that something waits.
func (w *writer) reportLocked(ctx context.Context, err error) {
	w.locked.Failed(ctx, w.log, slog.LevelWarn, "another session's open transaction has locked rows of hooktail's own tables: only their deliveries wait",
		slog.Any("error", err))
}
