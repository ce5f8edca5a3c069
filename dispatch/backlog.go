package dispatch

import "github.com/hooktail/hooktail/dispatch/state"

// backlog counts the committed rows of a hook. The lane's mu guards it.
type backlog struct {
	metrics *hookMetrics
	max     int64 // space for parked rows, in bytes; 0: no bound

	parked, dead int         // number of rows
	bytes        int64       // size of the parked bodies
	granted      int64       // room that rows which others have parked may take beyond the bound
	suspended    bool        // the bound is reached
	confirmed    bool        // the store has recorded the suspension
	missed       []*delivery // events that the suspended hook misses, until the store has recorded it
}

// count replaces the figures by the store's.
func (b *backlog) count(stored state.Backlog) {
	b.parked, b.dead, b.bytes = int(stored.Parked.Rows), int(stored.Dead.Rows), stored.Parked.Bytes
	b.moved()
}

// moved must be called after the figures have changed. It publishes them, and ends the grant
// once the rows are within the bound.
func (b *backlog) moved() {
	b.metrics.backlog(b.parked, b.dead)
	if b.room() < b.max {
		b.granted = 0
	}
}

// recount replaces the figures by the store's. What others have parked since, a redrive,
// must not suspend the hook.
func (b *backlog) recount(stored state.Backlog) {
	before := b.room()
	b.count(stored)
	if b.room() >= b.max {
		b.granted = max(0, b.granted+b.room()-before)
	}
}

func (b *backlog) wrote(op *operation) {
	d := op.delivery
	switch {
	case op.kind == update:
	case op.kind == insert && op.row.State == state.Dead:
		b.dead++
		d.unstorable = op.row.Reason == state.ReasonUnstorable
	case op.kind == insert:
		b.parked++
		b.bytes += int64(op.row.Bytes)
	case !d.unstorable: // it was parked
		b.parked--
		b.bytes -= int64(d.bytes)
		if op.kind == entomb {
			b.dead++
		}
	case op.kind == remove:
		b.dead--
	}
	b.moved()
}

func (b *backlog) room() int64 {
	return state.Volume{Rows: int64(b.parked), Bytes: b.bytes}.Room()
}

// isFull reports whether the bound is reached.
func (b *backlog) isFull() bool { return b.max != 0 && b.room() >= b.max+b.granted }

// set sets the suspension to that of the store, and reports whether it has changed.
func (b *backlog) set(suspended bool) bool {
	before := b.suspended
	switch {
	case suspended:
		b.suspended, b.confirmed = true, true
	case b.confirmed: // otherwise the store has not recorded it yet
		b.suspended, b.confirmed = false, false
	}
	return b.suspended != before
}
