package dispatch

import (
	"container/heap"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
)

// agenda is the part of a window in memory: the schedule, its deliveries that wait for
// their next attempt, and those that are also stored. It collects what the store must
// write.
//
// If a delivery is stored, so are all deliveries that wait for it, since otherwise the slot
// would wait for them, and all deliveries that it waits for: after a crash, stored
// deliveries are present before the stream repeats the others.
type agenda struct {
	schedule   schedule
	waiting    retries
	blamed     map[*delivery]struct{} // deliveries that have failed since the last success of the hook
	stored     int                    // number of stored deliveries in the schedule
	leaving    int                    // rows to be removed or buried, not yet committed
	operations []operation            // collected by the present call of the window
}

// keep stores a delivery of the schedule.
func (a *agenda) keep(d *delivery) {
	if !d.stored {
		a.stored++
		a.put(d)
	}
}

// keepWith stores a delivery of the schedule with all deliveries that must be stored with
// it.
func (a *agenda) keepWith(d *delivery) {
	for other := range a.schedule.waitingFor(d) {
		a.keep(other)
	}
}

func (a *agenda) put(d *delivery) {
	d.stored = true
	a.request(insert, d)
}

// restore adds a stored delivery. Unless hurried is set, it waits for its time.
func (a *agenda) restore(d *delivery, hurried bool) {
	a.schedule.add(d)
	a.stored++
	if d.state == ready && !d.at.IsZero() && !hurried {
		a.schedule.hold(d)
		heap.Push(&a.waiting, d)
	}
}

// left requests the removal of a stored delivery that has left the schedule. The store may
// be slow to write it, and the operation must not hold the body until then.
func (a *agenda) left(d *delivery, v verdict) {
	d.body = nil
	a.stored--
	switch v.step {
	case forgo: // it is no longer in the store
	case bury:
		a.leaving++
		op := a.request(entomb, d)
		op.row.Reason = v.reason.String()
	default:
		a.leaving++
		a.request(remove, d)
	}
}

// entomb stores a delivery that died without being parked.
func (a *agenda) entomb(d *delivery, v verdict) {
	d.stored = true
	op := a.request(insert, d)
	op.row.State, op.row.Reason = state.Dead, v.reason.String()
}

func (a *agenda) request(k kind, d *delivery) *operation {
	a.operations = append(a.operations, operation{kind: k, delivery: d, row: d.row()})
	return &a.operations[len(a.operations)-1]
}

// flush returns the operations of the present call.
func (a *agenda) flush() []operation {
	operations := a.operations
	a.operations = nil
	return operations
}

func (a *agenda) release(now time.Time) {
	for len(a.waiting) > 0 && !a.waiting[0].at.After(now) {
		a.schedule.release(heap.Pop(&a.waiting).(*delivery))
	}
}

func (a *agenda) releaseAll() {
	for len(a.waiting) > 0 {
		a.schedule.release(heap.Pop(&a.waiting).(*delivery))
	}
}

// sift drops waiting deliveries that are now behind others.
func (a *agenda) sift() {
	if !a.schedule.moved {
		return
	}
	a.schedule.moved = false
	were := a.waiting
	a.waiting = nil
	for _, d := range were {
		if d.state == waiting {
			heap.Push(&a.waiting, d)
		}
	}
}

// rebuild drops the deliveries that do not stay; all of them are stored.
func (a *agenda) rebuild(stays func(*delivery) bool) {
	a.schedule = a.schedule.rebuilt(func(d *delivery) bool {
		if stays(d) {
			return true
		}
		delete(a.blamed, d)
		d.state = behind // and not among those that wait
		return false
	})
	a.stored = a.schedule.size
	a.sift()
}

// ripen lets the project pass the delivery if it has been refused for long enough, and
// otherwise schedules its next attempt for when it will have been.
func (a *agenda) ripen(d *delivery, now time.Time) {
	if d.held || d.doubted || d.state != waiting || d.strikes() < heldAttempts {
		return
	}
	if ripe := d.trial.since.Add(heldFor); !now.Before(ripe) {
		a.schedule.pass(d)
	} else if d.at.After(ripe) {
		d.at, d.trial.due = ripe, ripe
	}
}

// succeeded records a success of the hook. Earlier failures may have been the hook's, so
// failed deliveries need not wait as long as scheduled. Their back-off restarts, and grows
// with the number of such successes.
func (a *agenda) succeeded(now time.Time, backoff func(n int) time.Duration) {
	for d := range a.blamed {
		if d.state != waiting {
			continue
		}
		d.trial.worked++
		d.at = d.trial.due
		if at := now.Add(backoff(d.trial.worked)); at.Before(d.at) {
			d.at = at
		}
		heap.Fix(&a.waiting, d.place)
	}
	clear(a.blamed)
}
