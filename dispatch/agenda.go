package dispatch

import (
	"container/heap"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
)

// agenda is the part of a window that is in memory: the schedule, those of its items
// that wait for their next attempt, and those that are stored as well. It collects what
// the store has to write.
//
// If an item is stored, so are all that wait for it, since the slot would wait for
// them, and all that it waits for: after a crash the stored ones are there before the
// stream brings the others again.
type agenda struct {
	schedule schedule
	waiting  retries
	blamed   map[*item]struct{} // items that have failed since the hook worked
	stored   int                // number of items of the schedule that are stored
	leaving  int                // rows that are to be removed or buried, and that is not committed
	notes    []note             // collected by the present call of the window
}

// keep stores an item of the schedule.
func (a *agenda) keep(it *item) {
	if !it.stored {
		a.stored++
		a.put(it)
	}
}

// keepWith stores an item of the schedule with all that have to be with it.
func (a *agenda) keepWith(it *item) {
	for other := range a.schedule.waitingFor(it) {
		a.keep(other)
	}
}

// put has the item inserted.
func (a *agenda) put(it *item) {
	it.stored = true
	a.note(insert, it)
}

// restore adds the item of a row. Unless it is hurried, it waits for its time.
func (a *agenda) restore(it *item, hurried bool) {
	a.schedule.add(it)
	a.stored++
	if it.state == ready && !it.at.IsZero() && !hurried {
		a.schedule.hold(it)
		heap.Push(&a.waiting, it)
	}
}

// left writes down that a stored item has left the schedule.
func (a *agenda) left(it *item, v verdict) {
	a.stored--
	switch v.step {
	case forgo: // it is not in the store any more
	case bury:
		a.leaving++
		n := a.note(entomb, it)
		n.row.Reason = v.reason.String()
	default:
		a.leaving++
		a.note(remove, it)
	}
}

// entomb stores an item that died without having been parked.
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

// release makes what waits until now ready.
func (a *agenda) release(now time.Time) {
	for len(a.waiting) > 0 && !a.waiting[0].at.After(now) {
		a.schedule.release(heap.Pop(&a.waiting).(*item))
	}
}

// releaseAll makes everything that waits ready.
func (a *agenda) releaseAll() {
	for len(a.waiting) > 0 {
		a.schedule.release(heap.Pop(&a.waiting).(*item))
	}
}

// take hands out an item that is ready or waits.
func (a *agenda) take(it *item) {
	if it.state == waiting {
		heap.Remove(&a.waiting, it.place)
	}
	a.schedule.take(it)
}

// sift drops from those that wait what is behind something else now.
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

// rebuild lets go of what is not to stay; all of it is stored.
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

// ripen lets the item's project pass it if it has been refused for long enough, and
// otherwise brings its next attempt forward to when it has.
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

// succeeded notes that the hook has worked: what has failed since it worked before may
// have failed for the hook's sake, and need not wait for as long as it was to. Its
// back-off begins anew, and grows with how often that has been so.
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

// running is how many items are handed out.
func (a *agenda) running() int {
	n := 0
	for it := range a.schedule.all() {
		if it.state == running {
			n++
		}
	}
	return n
}
