package dispatch

import (
	"container/heap"
	"time"

	"github.com/hooktail/hooktail/dispatch/parking"
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

	notes []note // collected by the present call
}

func newWindow(room *windows, durable bool) window {
	return window{room: room, durable: durable, after: theEnd(), lowest: theEnd()}
}

// accept takes a new item into the schedule, the store or both. away says that the
// hook gets nothing for a while.
func (w *window) accept(it *item, away bool) []note {
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

// next hands out the item to attempt now, or nil. While the hook fails that is the
// oldest of all, the probe, and no other.
func (w *window) next(failing bool) *item {
	if failing {
		return w.schedule.takeOldest()
	}
	return w.schedule.next()
}

// release makes what waits until now ready.
func (w *window) release(now time.Time) {
	for len(w.waiting) > 0 && !w.waiting[0].at.After(now) {
		w.schedule.release(heap.Pop(&w.waiting).(*item))
	}
}

// releaseAll makes everything that waits ready.
func (w *window) releaseAll() {
	for len(w.waiting) > 0 {
		w.schedule.release(heap.Pop(&w.waiting).(*item))
	}
}

// retryAt puts an item that was handed out off. save says that the store has to know.
func (w *window) retryAt(it *item, at time.Time, save bool) []note {
	it.at = at
	w.schedule.hold(it)
	heap.Push(&w.waiting, it)
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

// done removes an item that was handed out and has come to its end.
func (w *window) done(it *item, v verdict) []note {
	w.schedule.done(it)
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
	if n.kind != insert {
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

// admit adds and stores the item, if there is room for it in the window.
func (w *window) admit(it *item, room int) {
	if w.schedule.size >= room {
		w.beginTail()
		w.append(it)
		return
	}
	w.schedule.add(it)
	if w.schedule.projects[it.project].first == it {
		w.keepWith(it) // it joins what was apart until now
	} else {
		w.keep(it)
	}
}

// keep stores an item of the schedule.
func (w *window) keep(it *item) {
	if !it.stored {
		w.stored++
		w.put(it)
	}
}

// keepWith stores an item of the schedule with all that have to be with it.
func (w *window) keepWith(it *item) {
	for other := range w.schedule.waitingFor(it) {
		w.keep(other)
	}
}

// keepWaiting stores what waits for another attempt.
func (w *window) keepWaiting() []note {
	for _, it := range w.waiting {
		if !it.stored {
			w.keepWith(it)
		}
	}
	return w.flush()
}

// keepAll stores the whole schedule.
func (w *window) keepAll() []note {
	for it := range w.schedule.all() {
		w.keep(it)
		if it.state != running {
			it.body = nil
		}
	}
	if w.schedule.size > w.room.fewest() {
		w.beginTail()
	}
	return w.flush()
}

// put has the item inserted.
func (w *window) put(it *item) {
	it.stored = true
	w.note(insert, it)
}

// left writes down that a stored item has left the schedule.
func (w *window) left(it *item, v verdict) {
	w.stored--
	if w.reading {
		w.gone[it.event] = struct{}{}
	}
	switch v.step {
	case forgo: // it is not in the store any more
	case bury:
		n := w.note(entomb, it)
		n.row.Reason = v.reason.String()
	default:
		w.note(remove, it)
	}
}

// entomb stores an item that died without having been parked.
func (w *window) entomb(it *item, v verdict) {
	it.stored = true
	n := w.note(insert, it)
	n.row.State, n.row.Reason = parking.Dead, v.reason.String()
}

func (w *window) note(k kind, it *item) *note {
	w.notes = append(w.notes, note{kind: k, item: it, row: it.row()})
	return &w.notes[len(w.notes)-1]
}

// flush returns the notes of the present call.
func (w *window) flush() []note {
	notes := w.notes
	w.notes = nil
	return notes
}

// retries is a heap of items by the time of their next attempt.
type retries []*item

func (r retries) Len() int           { return len(r) }
func (r retries) Less(i, j int) bool { return r[i].at.Before(r[j].at) }
func (r retries) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }

// Push is for package heap.
func (r *retries) Push(it any) { *r = append(*r, it.(*item)) }

// Pop is for package heap.
func (r *retries) Pop() any {
	last := len(*r) - 1
	it := (*r)[last]
	(*r)[last] = nil
	*r = (*r)[:last]
	return it
}
