package dispatch

import (
	"container/heap"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
)

// agenda is the part of a window in memory: the schedule, its items that wait for their
// next attempt, and those that are also stored. It collects what the store must write.
//
// If an item is stored, so are all items that wait for it, since otherwise the slot would
// wait for them, and all items that it waits for: after a crash, stored items are present
// before the stream repeats the others.
type agenda struct {
	schedule schedule
	waiting  retries
	blamed   map[*item]struct{} // items that have failed since the last success of the hook
	stored   int                // number of stored items in the schedule
	leaving  int                // rows to be removed or buried, not yet committed
	notes    []note             // collected by the present call of the window
}

// keep stores an item of the schedule.
func (a *agenda) keep(it *item) {
	if !it.stored {
		a.stored++
		a.put(it)
	}
}

// keepWith stores an item of the schedule with all items that must be stored with it.
func (a *agenda) keepWith(it *item) {
	for other := range a.schedule.waitingFor(it) {
		a.keep(other)
	}
}

// put requests the insertion of the item.
func (a *agenda) put(it *item) {
	it.stored = true
	a.note(insert, it)
}

// restore adds the item of a row. Unless hurried is set, it waits for its time.
func (a *agenda) restore(it *item, hurried bool) {
	a.schedule.add(it)
	a.stored++
	if it.state == ready && !it.at.IsZero() && !hurried {
		a.schedule.hold(it)
		heap.Push(&a.waiting, it)
	}
}

// left requests the removal of a stored item that has left the schedule. The store may be
// slow to write it, and the note must not hold the body until then.
func (a *agenda) left(it *item, v verdict) {
	it.body = nil
	a.stored--
	switch v.step {
	case forgo: // it is no longer in the store
	case bury:
		a.leaving++
		n := a.note(entomb, it)
		n.row.Reason = v.reason.String()
	default:
		a.leaving++
		a.note(remove, it)
	}
}

// entomb stores an item that died without being parked.
func (a *agenda) entomb(it *item, v verdict) {
	it.stored = true
	n := a.note(insert, it)
	n.row.State, n.row.Reason = state.Dead, v.reason.String()
}

func (a *agenda) note(k kind, it *item) *note {
	a.notes = append(a.notes, note{kind: k, item: it, row: it.row()})
	return &a.notes[len(a.notes)-1]
}

// flush returns the notes of the present call.
func (a *agenda) flush() []note {
	notes := a.notes
	a.notes = nil
	return notes
}

// release makes items ready whose time has come.
func (a *agenda) release(now time.Time) {
	for len(a.waiting) > 0 && !a.waiting[0].at.After(now) {
		a.schedule.release(heap.Pop(&a.waiting).(*item))
	}
}

// releaseAll makes all waiting items ready.
func (a *agenda) releaseAll() {
	for len(a.waiting) > 0 {
		a.schedule.release(heap.Pop(&a.waiting).(*item))
	}
}

// take hands out an item that is ready or waiting.
func (a *agenda) take(it *item) {
	if it.state == waiting {
		heap.Remove(&a.waiting, it.place)
	}
	a.schedule.take(it)
}

// sift drops waiting items that are now behind others.
func (a *agenda) sift() {
	if !a.schedule.moved {
		return
	}
	a.schedule.moved = false
	were := a.waiting
	a.waiting = nil
	for _, it := range were {
		if it.state == waiting {
			heap.Push(&a.waiting, it)
		}
	}
}

// rebuild drops the items that do not stay; all of them are stored.
func (a *agenda) rebuild(stays func(*item) bool) {
	a.schedule = a.schedule.rebuilt(func(it *item) bool {
		if stays(it) {
			return true
		}
		delete(a.blamed, it)
		it.state = behind // and not among those that wait
		return false
	})
	a.stored = a.schedule.size
	a.schedule.moved = true
	a.sift()
}

// ripen lets the project pass the item if it has been refused for long enough, and
// otherwise schedules its next attempt for when it will have been.
func (a *agenda) ripen(it *item, now time.Time) {
	if it.held || it.doubted || it.state != waiting || it.strikes() < heldAttempts {
		return
	}
	if ripe := it.trial.since.Add(heldFor); !now.Before(ripe) {
		a.schedule.pass(it)
	} else if it.at.After(ripe) {
		it.at, it.trial.due = ripe, ripe
	}
}

// succeeded records a success of the hook. Earlier failures may have been the hook's, so
// failed items need not wait as long as scheduled. Their back-off restarts, and grows
// with the number of such successes.
func (a *agenda) succeeded(now time.Time, backoff func(n int) time.Duration) {
	for it := range a.blamed {
		if it.state != waiting {
			continue
		}
		it.trial.worked++
		it.at = it.trial.due
		if at := now.Add(backoff(it.trial.worked)); at.Before(it.at) {
			it.at = at
		}
		heap.Fix(&a.waiting, it.place)
	}
	clear(a.blamed)
}

// running returns the number of items handed out.
func (a *agenda) running() int {
	n := 0
	for it := range a.schedule.all() {
		if it.state == running {
			n++
		}
	}
	return n
}
