package dispatch

import (
	"container/heap"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/mapping"
)

// window holds what a lane knows of its hook's deliveries: the schedule is their
// beginning, and what comes after it, the tail, is in the store alone. A delivery of
// the schedule may be stored as well: then the slot does not wait for it, and its
// body is not in memory.
//
// If an item is stored, so are all that wait for it, since the slot would wait for
// them, and all that it waits for: after a crash the stored ones are there before the
// stream brings the others again. While there is a tail, the whole schedule is stored.
//
// It is pure: it has no lock, no clock and no store. Its methods return the notes that
// have to be written, in order.
type window struct {
	room    *windows // size of the windows of all lanes
	durable bool     // there is a store; otherwise everything is held in memory

	schedule schedule
	waiting  retries // items of the schedule that wait for their next attempt
	stored   int     // number of items of the schedule that are stored

	tail   bool       // there may be rows that the schedule does not have
	after  mapping.ID // rows of the tail up to this event have been read
	lowest mapping.ID // first event that went to the tail since then; theEnd: none did

	reading bool                    // a part of the tail is being read
	recent  []*item                 // items that went to the tail since the part was asked for
	spilled bool                    // recent lacks some of those
	gone    map[mapping.ID]struct{} // events that left the store since then

	ceiling cdc.LSN            // rows of later commits wait until the stream has passed them
	blocked bool               // the next rows of the tail are such
	hurried bool               // rows of the tail do not wait for their next attempt
	scout   bool               // there may be heads in the tail that were not tried
	blamed  map[*item]struct{} // items that have failed since the hook worked

	leaving int // rows that are to be removed or buried, and that is not committed

	notes []note // collected by the present call
}

func newWindow(room *windows, durable bool) window {
	return window{room: room, durable: durable, after: theEnd(), lowest: theEnd(), ceiling: theEnd().Commit, blamed: make(map[*item]struct{})}
}

// accept takes a new item into the schedule, the store or both. away says that the
// hook gets nothing for a while.
func (w *window) accept(it *item, away bool) []note {
	it.trails = w.leaving > 0
	switch {
	case !w.durable:
		w.schedule.add(it)
	case w.tail:
		w.append(it)
	case away:
		w.admit(it, w.room.fewest())
	case w.stored > 0 && w.schedule.isBehindStored(it):
		w.admit(it, w.room.most())
	default:
		w.schedule.add(it)
	}
	return w.flush()
}

// next hands out the item that has been ready for longest, nil if none is.
func (w *window) next() *item { return w.schedule.next() }

// release makes what waits until now ready.
func (w *window) release(now time.Time) {
	for len(w.waiting) > 0 && !w.waiting[0].at.After(now) {
		w.schedule.release(heap.Pop(&w.waiting).(*item))
	}
}

// releaseAll makes everything that waits ready, in the tail as well.
func (w *window) releaseAll() {
	w.hurried = w.tail
	for len(w.waiting) > 0 {
		w.schedule.release(heap.Pop(&w.waiting).(*item))
	}
}

// hasten lets everything be tried at once: what waits, and what is being tried, if that
// comes to nothing.
func (w *window) hasten() {
	for _, it := range w.waiting {
		it.doubted = false
	}
	w.releaseAll()
	for it := range w.schedule.all() {
		it.again = it.state == running
	}
}

// retryAt puts an item that was handed out off, until the first of the two times: due
// by its own back-off, at for the hook's sake. save says that the store has to know.
func (w *window) retryAt(it *item, due, at time.Time, save bool, now time.Time) []note {
	if it.again {
		due, it.again, it.doubted = now, false, false
	}
	it.at = earliest(due, at)
	if it.trial != nil {
		it.trial.due = due
	}
	early := it.early
	w.schedule.hold(it)
	if early && w.tail {
		w.evict(it.project)
	}
	w.ripen(it, now)
	if it.state == waiting {
		heap.Push(&w.waiting, it)
	}
	w.sift()
	switch {
	case !w.durable || !save:
	case it.stored:
		w.note(update, it)
	default:
		w.keepWith(it)
	}
	it.drop()
	return w.flush()
}

// sift drops from those that wait what is behind something else now.
func (w *window) sift() {
	if !w.schedule.moved {
		return
	}
	w.schedule.moved = false
	were := w.waiting
	w.waiting = nil
	for _, it := range were {
		if it.state == waiting {
			heap.Push(&w.waiting, it)
		}
	}
}

// done removes an item that was handed out and has come to its end.
func (w *window) done(it *item, v verdict) []note {
	held := it.held
	w.schedule.done(it)
	if held && w.tail {
		w.evict(it.project)
	}
	w.sift()
	if it.trial != nil {
		delete(w.blamed, it)
	}
	w.scout = w.tail
	switch {
	case it.stored:
		w.left(it, v)
	case v.step == bury && w.durable:
		w.entomb(it, v)
	}
	return w.flush()
}

// wrote takes notice of a committed note. What it returns is finished by that; done
// is nil where nothing is.
func (w *window) wrote(n *note) (done func(), l *letter) {
	switch n.kind {
	case remove, entomb:
		w.leaving--
		return nil, nil
	case update:
		return nil, nil
	}
	it := n.item
	done, l = it.done, it.letter
	it.kept, it.done = true, nil
	if it.state != running {
		it.drop()
	}
	return done, l
}

// isEmpty reports whether the hook has nothing left to get.
func (w *window) isEmpty() bool { return w.schedule.oldest == nil && !w.tail }

// oldestHeld is the first item that is held in memory alone, nil if there is none.
func (w *window) oldestHeld() *item {
	if w.stored == w.schedule.size {
		return nil
	}
	for it := range w.schedule.all() {
		if !it.stored {
			return it
		}
	}
	return nil
}

// oldestStored is the first item that is stored, nil if there is none.
func (w *window) oldestStored() *item {
	if w.stored == 0 {
		return nil
	}
	for it := range w.schedule.all() {
		if it.stored {
			return it
		}
	}
	return nil
}

// flush returns the notes of the present call.
func (w *window) flush() []note {
	notes := w.notes
	w.notes = nil
	return notes
}
