package dispatch

import (
	"container/heap"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// window is what a hook is still to get: the agenda, which is in memory, and what comes
// after it, the tail, which is in the store alone. A delivery of the agenda may be
// stored as well: then the slot does not wait for it, and its body is not in memory.
// While there is a tail, the whole agenda is stored.
//
// It is pure: it has no lock, no clock and no store. A delivery comes by accept or
// loaded, is handed out by next, and is put off by retryAt or ends with done. They return
// the notes that have to be written, in order; wrote says of each that it is.
type window struct {
	durable bool // there is a store; otherwise everything is held in memory
	backoff func(n int) time.Duration
	agenda  agenda
	tail    tail
}

// newWindow is an empty window, which has its part of the room. backoff is after how long
// a delivery is tried again at the latest when the hook has worked for the nth time since
// it failed.
func newWindow(room *windows, durable bool, backoff func(n int) time.Duration) window {
	return window{durable: durable, backoff: backoff, agenda: agenda{blamed: make(map[*item]struct{})}, tail: newTail(room)}
}

// accept takes a new item. away says that the hook gets nothing for a while.
func (w *window) accept(it *item, away bool) []note {
	a := &w.agenda
	it.trails = a.leaving > 0
	switch {
	case !w.durable:
		a.schedule.add(it)
	case w.tail.open:
		w.append(it)
	case away:
		w.admit(it, w.tail.room.fewest())
	case a.stored > 0 && a.schedule.isBehindStored(it):
		w.admit(it, w.tail.room.most())
	default:
		a.schedule.add(it)
	}
	return a.flush()
}

// admit adds and stores the item, if there is room for it in the agenda.
func (w *window) admit(it *item, room int) {
	a := &w.agenda
	if a.schedule.size >= room {
		w.beginTail()
		w.append(it)
		return
	}
	a.schedule.add(it)
	if a.schedule.projects[it.project].first == it && !it.held {
		a.keepWith(it) // it joins what was apart until now
	} else {
		a.keep(it)
	}
}

// append stores the item in the tail.
func (w *window) append(it *item) {
	w.agenda.put(it)
	w.tail.add(it)
}

// delay says how a delivery that was handed out is put off.
type delay struct {
	now    time.Time
	due    time.Time // of the next attempt, by the delivery's own back-off
	at     time.Time // of the next attempt at the latest, for the hook's sake
	save   bool      // the store has to know
	doubt  bool      // the delivery is dead, unless the own network turns out to have been gone
	failed bool      // an attempt has failed
	spared bool      // for which the delivery cannot be blamed
}

// retryAt puts an item that was handed out off.
func (w *window) retryAt(it *item, d delay) []note {
	a := &w.agenda
	if d.failed {
		it.trial.failed(d)
		a.blamed[it] = struct{}{}
	}
	if it.doubted = d.doubt; it.again {
		d.due, it.again, it.doubted = d.now, false, false
	}
	it.at = earliest(d.due, d.at)
	if it.trial != nil {
		it.trial.due = d.due
	}
	early := it.early
	a.schedule.hold(it)
	if early && w.tail.open {
		w.evict(it.project)
	}
	a.ripen(it, d.now)
	if it.state == waiting {
		heap.Push(&a.waiting, it)
	}
	a.sift()
	switch {
	case !w.durable || !d.save:
	case it.stored:
		a.note(update, it)
	default:
		a.keepWith(it)
	}
	it.drop()
	return a.flush()
}

// done removes an item that was handed out and has come to its end. If it was delivered,
// what has failed since the hook worked before is tried again soon.
func (w *window) done(it *item, v verdict, now time.Time) []note {
	a := &w.agenda
	held := it.held
	a.schedule.done(it)
	if held && w.tail.open {
		w.evict(it.project)
	}
	a.sift()
	delete(a.blamed, it)
	w.tail.scout = w.tail.open // what waited for it may be there
	switch {
	case it.stored:
		w.tail.left(it)
		a.left(it, v)
	case v.step == bury && w.durable:
		a.entomb(it, v)
	}
	if v.step == deliver {
		a.succeeded(now, w.backoff)
	}
	it.trails = it.trails && a.leaving > 0
	return a.flush()
}

// wrote takes notice of a committed note. What it returns is finished by that; done
// is nil where nothing is.
func (w *window) wrote(n *note) (done func(), l *letter) {
	switch n.kind {
	case remove, entomb:
		w.agenda.leaving--
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

// keep stores what waits for another attempt, or all that there is.
func (w *window) keep(all bool) []note {
	a := &w.agenda
	if !all {
		for _, it := range a.waiting {
			if !it.stored {
				a.keepWith(it)
			}
		}
		return a.flush()
	}
	for it := range a.schedule.all() {
		a.keep(it)
		if it.state != running {
			it.body = nil
		}
	}
	if a.schedule.size > w.tail.room.fewest() {
		w.beginTail()
	}
	return a.flush()
}

// rewind has the tail read from that event on, since rows have come to it that the
// lane has not written; theEnd(): it leaves to the store alone what comes from now on,
// and what there is beyond the fewest.
func (w *window) rewind(to mapping.ID) []note {
	w.beginTail()
	w.tail.lowest = earlier(w.tail.lowest, to)
	w.tail.blocked = false
	return w.agenda.flush()
}

// resume has everything read that was stored before the start, none of which waits for
// its time. Rows of later commits than the position, unless it is 0, wait until the stream
// has passed them.
func (w *window) resume(position cdc.LSN) []note {
	if position > 0 {
		w.tail.ceiling = position
	}
	notes := w.rewind(mapping.ID{})
	w.tail.hurried = true
	return notes
}

// passed says that the stream has brought all events of these commits again. It reports
// whether rows still wait for the stream.
func (w *window) passed(position cdc.LSN) bool {
	if position > w.tail.ceiling {
		w.tail.ceiling, w.tail.blocked = position, false
	}
	return w.tail.ceiling != theEnd().Commit
}

// hasten lets everything be tried at once: what waits, and what is being tried, if that
// comes to nothing.
func (w *window) hasten() {
	for _, it := range w.agenda.waiting {
		it.doubted = false
	}
	w.tail.hurried = w.tail.open
	w.agenda.releaseAll()
	for it := range w.agenda.schedule.all() {
		it.again = it.state == running
	}
}

// isEmpty reports whether the hook has nothing left to get.
func (w *window) isEmpty() bool { return w.agenda.schedule.oldest == nil && !w.tail.open }

// hasSome reports whether there may be an item to hand out.
func (w *window) hasSome() bool {
	return w.agenda.schedule.queue.len() > 0 || len(w.agenda.waiting) > 0
}

// oldest is the first item that is stored, or the first that is not; nil if there is none.
func (w *window) oldest(stored bool) *item {
	a := &w.agenda
	if !stored && a.stored == a.schedule.size || stored && a.stored == 0 {
		return nil
	}
	for it := range a.schedule.all() {
		if it.stored == stored {
			return it
		}
	}
	return nil
}

// ready is what may go, with some that was handed out.
func (w *window) ready() []*item { return w.agenda.schedule.queue.waiting() }

// figures are the numbers of deliveries in memory, and of those of them that wait for
// another attempt; tail says that the store has more.
func (w *window) figures() (queued, waiting int, tail bool) {
	return w.agenda.schedule.size, len(w.agenda.waiting), w.tail.open
}

// beginTail leaves to the store alone what comes from now on, and what there is beyond
// the fewest.
func (w *window) beginTail() {
	a, t := &w.agenda, &w.tail
	for it := range a.schedule.all() {
		a.keep(it)
	}
	t.set(true)
	n, fewest, atWork := 0, t.room.fewest(), a.running()
	w.rebuild(func(it *item) bool {
		if n >= fewest && atWork == 0 && !it.held {
			t.lowest = earlier(t.lowest, it.event)
			return false
		}
		n++
		if it.state == running {
			atWork--
		}
		return true
	})
}

// evict leaves to the tail again what has come from it ahead of its turn, of a project
// that goes on waiting for what was held: that may be in the tail, too.
func (w *window) evict(project int64) {
	read := earlier(w.tail.after, justBefore(w.tail.lowest))
	w.rebuild(func(it *item) bool {
		return it.project != project || it.state == running || state.Compare(it.event, read) <= 0
	})
	for it := range w.agenda.schedule.all() {
		it.early = it.early || it.project == project && state.Compare(it.event, read) > 0
	}
}

// rebuild leaves to the tail what is not to stay; all of it is stored.
func (w *window) rebuild(stays func(*item) bool) {
	w.agenda.rebuild(stays)
	w.tail.spilled, w.tail.scout = w.tail.asked != nil, true // what is being read may not have it yet
}
