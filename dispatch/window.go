package dispatch

import (
	"container/heap"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// window holds the outstanding deliveries of a hook: the agenda, which is in memory, and
// after it the tail, which is only in the store. A delivery of the agenda may also be
// stored: then the slot does not wait for it, and its body is not in memory. While there
// is a tail, the whole agenda is stored.
//
// It is pure: it has no lock, no clock and no store. A delivery is added by accept or
// loaded, handed out by next, and postponed by retryAt or ended by done. They return the
// notes that must be written, in order; wrote confirms each of them.
type window struct {
	durable bool // there is a store; otherwise everything is in memory
	backoff func(n int) time.Duration
	agenda  agenda
	tail    tail
}

// newWindow returns an empty window, which has its share of the room. backoff returns the
// longest time until a delivery is retried after the hook's nth success since the
// delivery failed.
func newWindow(room *windows, durable bool, backoff func(n int) time.Duration) window {
	return window{durable: durable, backoff: backoff, agenda: agenda{blamed: make(map[*item]struct{})}, tail: newTail(room)}
}

// accept adds a new item. away states that the hook gets nothing for some time.
func (w *window) accept(it *item, away bool) []note {
	a := &w.agenda
	it.trails = a.leaving > 0
	switch {
	case !w.durable:
		a.schedule.add(it)
	case w.tail.open:
		a.put(it)
		w.tail.add(it)
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
		a.put(it)
		w.tail.add(it)
		return
	}
	a.schedule.add(it)
	if a.schedule.projects[it.project].first == it && !it.held {
		a.keepWith(it) // it joins what was separate until now
	} else {
		a.keep(it)
	}
}

// delay says how a delivery that was handed out is postponed.
type delay struct {
	now    time.Time
	due    time.Time // next attempt by the delivery's own back-off
	at     time.Time // latest time of the next attempt, because of the hook
	save   bool      // the store must record it
	doubt  bool      // dead, unless our own network turns out to have been down
	failed bool      // an attempt has failed
	spared bool      // the delivery is not to blame
}

// retryAt postpones an item that was handed out.
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

// done removes an item that was handed out and has ended. If it was delivered, items that
// failed since the hook's previous success are retried soon.
func (w *window) done(it *item, v verdict, now time.Time) []note {
	a := &w.agenda
	held := it.held
	a.schedule.done(it)
	if held && w.tail.open {
		w.evict(it.project)
	}
	a.sift()
	delete(a.blamed, it)
	w.tail.scout = w.tail.open // an item that waited for it may be there
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

// wrote records a committed note. It returns what is thereby finished; done is nil if
// nothing is.
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

// keep stores the items that wait for another attempt, or all.
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

// rewind makes the tail be read again from that event on, since rows have been added that
// the lane has not written; theEnd(): new items, and present ones beyond the fewest, are
// only in the store.
func (w *window) rewind(to mapping.ID) []note {
	w.beginTail()
	w.tail.lowest = earlier(w.tail.lowest, to)
	w.tail.blocked = false
	return w.agenda.flush()
}

// resume makes everything be read that was stored before the start, without waiting for
// retry times. Rows of commits later than the position, unless it is 0, wait until the
// stream has passed them.
func (w *window) resume(position cdc.LSN) []note {
	if position > 0 {
		w.tail.ceiling = position
	}
	notes := w.rewind(mapping.ID{})
	w.tail.hurried = true
	return notes
}

// passed states that the stream has repeated all events up to the position. It reports
// whether rows still wait for the stream.
func (w *window) passed(position cdc.LSN) bool {
	if position > w.tail.ceiling {
		w.tail.ceiling, w.tail.blocked = position, false
	}
	return w.tail.ceiling != theEnd().Commit
}

// hasten retries everything immediately: waiting items, and running ones if they fail.
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

// isEmpty reports whether the hook has no outstanding delivery.
func (w *window) isEmpty() bool { return w.agenda.schedule.oldest == nil && !w.tail.open }

// hasSome reports whether there may be an item to hand out.
func (w *window) hasSome() bool {
	return w.agenda.schedule.queue.len() > 0 || len(w.agenda.waiting) > 0
}

// oldest returns the first item that is stored, or the first that is not; nil if there is
// none.
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

// ready returns the items that may go, and possibly some that were handed out.
func (w *window) ready() []*item { return w.agenda.schedule.queue.waiting() }

// figures returns the number of deliveries in memory, and of those that wait for another
// attempt; tail states that the store has more.
func (w *window) figures() (queued, waiting int, tail bool) {
	return w.agenda.schedule.size, len(w.agenda.waiting), w.tail.open
}

// beginTail makes new items, and present ones beyond the fewest, be only in the store.
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

// evict returns items to the tail that came from it ahead of their turn, of a project
// that still waits for what was held: that may be in the tail, too.
func (w *window) evict(project int64) {
	read := earlier(w.tail.after, justBefore(w.tail.lowest))
	w.rebuild(func(it *item) bool {
		return it.project != project || it.state == running || state.Compare(it.event, read) <= 0
	})
	for it := range w.agenda.schedule.all() {
		it.early = it.early || it.project == project && state.Compare(it.event, read) > 0
	}
}

// rebuild returns the items that do not stay to the tail; all of them are stored.
func (w *window) rebuild(stays func(*item) bool) {
	w.agenda.rebuild(stays)
	w.tail.spilled, w.tail.scout = w.tail.asked != nil, true // what is being read may lack it
}
