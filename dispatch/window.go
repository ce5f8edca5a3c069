package dispatch

import (
	"cmp"
	"container/heap"
	"slices"
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
// operations that must be written, in order; wrote confirms each of them.
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
	return window{durable: durable, backoff: backoff, agenda: agenda{blamed: make(map[*delivery]struct{})}, tail: newTail(room)}
}

// accept adds a new delivery. away states that the hook gets nothing for some time.
func (w *window) accept(d *delivery, away bool) []operation {
	a := &w.agenda
	d.trails = a.leaving > 0
	switch {
	case !w.durable:
		a.schedule.add(d)
	case w.tail.open:
		a.put(d)
		w.tail.add(d)
	case away:
		w.admit(d, w.tail.room.fewest())
	case a.stored > 0 && a.schedule.isBehindStored(d):
		w.admit(d, w.tail.room.most())
	default:
		a.schedule.add(d)
	}
	return a.flush()
}

// admit adds and stores the delivery, if there is room for it in the agenda.
func (w *window) admit(d *delivery, room int) {
	a := &w.agenda
	if a.schedule.size >= room {
		w.beginTail()
		a.put(d)
		w.tail.add(d)
		return
	}
	a.schedule.add(d)
	if a.schedule.projects[d.project].first == d && !d.held {
		a.keepWith(d) // it joins what was separate until now
	} else {
		a.keep(d)
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

// retryAt postpones a delivery that was handed out.
func (w *window) retryAt(d *delivery, by delay) []operation {
	a := &w.agenda
	if by.failed {
		a.blamed[d] = struct{}{}
		d.trial.tried = by.now
		if !by.spared {
			d.trial.refused++
			d.trial.since = cmp.Or(d.trial.since, by.now)
		}
	}
	if d.doubted = by.doubt; d.again {
		by.due, d.again, d.doubted = by.now, false, false
	}
	if d.at = by.due; by.at.Before(d.at) {
		d.at = by.at
	}
	if d.trial != nil {
		d.trial.due = by.due
	}
	early := d.early
	a.schedule.hold(d)
	if early && w.tail.open {
		w.evict(d.project)
	}
	a.ripen(d, by.now)
	if d.state == waiting {
		heap.Push(&a.waiting, d)
	}
	a.sift()
	switch {
	case !w.durable || !by.save:
	case d.stored:
		a.request(update, d)
	default:
		a.keepWith(d)
	}
	d.drop()
	return a.flush()
}

// done removes a delivery that was handed out and has ended. If it was delivered,
// deliveries that failed since the hook's previous success are retried soon.
func (w *window) done(d *delivery, v verdict, now time.Time) []operation {
	a := &w.agenda
	held := d.held
	a.schedule.done(d)
	if held && w.tail.open {
		w.evict(d.project)
	}
	a.sift()
	delete(a.blamed, d)
	w.tail.scout = w.tail.open // a delivery that waited for it may be there
	switch {
	case d.stored:
		if w.tail.asked != nil {
			w.tail.gone[d.event] = struct{}{}
		}
		a.left(d, v)
	case v.step == bury && w.durable:
		a.entomb(d, v)
	}
	if v.step == deliver {
		a.succeeded(now, w.backoff)
	}
	d.trails = d.trails && a.leaving > 0
	return a.flush()
}

// wrote records a committed operation. It returns what is thereby finished; done is nil if
// nothing is.
func (w *window) wrote(op *operation) (done func(), shared *sharedEvent) {
	switch op.kind {
	case remove, entomb:
		w.agenda.leaving--
		return nil, nil
	case update:
		return nil, nil
	}
	d := op.delivery
	done, shared = d.done, d.shared
	d.kept, d.done = true, nil
	if d.state != running {
		d.drop()
	}
	return done, shared
}

// keep stores the deliveries that wait for another attempt, or all.
func (w *window) keep(all bool) []operation {
	a := &w.agenda
	if !all {
		for _, d := range a.waiting {
			if !d.stored {
				a.keepWith(d)
			}
		}
		return a.flush()
	}
	for d := range a.schedule.all() {
		a.keep(d)
		if d.state != running {
			d.body = nil
		}
	}
	if a.schedule.size > w.tail.room.fewest() {
		w.beginTail()
	}
	return a.flush()
}

// rewind makes the tail be read again from that event on, since rows have been added that
// the lane has not written; theEnd(): new deliveries, and present ones beyond the fewest,
// are only in the store.
func (w *window) rewind(to mapping.ID) []operation {
	w.beginTail()
	w.tail.lowest = earlier(w.tail.lowest, to)
	w.tail.blocked = false
	return w.agenda.flush()
}

// resume makes everything be read that was stored before the start, without waiting for
// retry times. Rows of commits later than the position, unless it is 0, wait until the
// stream has passed them. Commits after the end of the WAL, unless that is 0, are not in the
// stream.
func (w *window) resume(position, end cdc.LSN) []operation {
	if position > 0 {
		w.tail.end = end
		w.tail.ceiling = w.tail.reached(position)
	}
	operations := w.rewind(mapping.ID{})
	w.tail.hurried = true
	return operations
}

// passed states that the stream has repeated all events up to the position. It reports
// whether rows still wait for the stream.
func (w *window) passed(position cdc.LSN) bool {
	if ceiling := w.tail.reached(position); ceiling > w.tail.ceiling {
		w.tail.ceiling, w.tail.blocked = ceiling, false
	}
	return w.tail.ceiling != theEnd().Commit
}

// hasten retries everything immediately: waiting deliveries, and running ones if they fail.
func (w *window) hasten() {
	w.tail.hurried = w.tail.open
	for d := range w.agenda.schedule.all() {
		d.again = d.state == running
		if d.state == waiting {
			d.doubted = false // only there: an attempt reads its own without the lane's mu
		}
	}
	w.agenda.releaseAll()
}

// isEmpty reports whether the hook has no outstanding delivery.
func (w *window) isEmpty() bool { return w.agenda.schedule.oldest == nil && !w.tail.open }

// hasSome reports whether there may be a delivery to hand out.
func (w *window) hasSome() bool {
	return w.agenda.schedule.queue.len() > 0 || len(w.agenda.waiting) > 0
}

// drains reports whether the deliveries whose turn is next are stored: their bodies must be
// read. A few among others do not count, such as poisoned ones.
func (w *window) drains() bool {
	next := w.ready()
	if len(next) == 0 {
		next = w.agenda.waiting
	}
	next = next[:min(len(next), 8)]
	return len(next) > 0 && !slices.ContainsFunc(next, func(d *delivery) bool { return !d.stored })
}

// oldest returns the first delivery that is stored, or the first that is not; nil if there
// is none.
func (w *window) oldest(stored bool) *delivery {
	a := &w.agenda
	if !stored && a.stored == a.schedule.size || stored && a.stored == 0 {
		return nil
	}
	for d := range a.schedule.all() {
		if d.stored == stored {
			return d
		}
	}
	return nil
}

// ready returns the deliveries that may go, and possibly some that were handed out.
func (w *window) ready() []*delivery { return w.agenda.schedule.queue.waiting() }

// beginTail makes new deliveries, and present ones beyond the fewest, be only in the store.
func (w *window) beginTail() {
	a, t := &w.agenda, &w.tail
	var atWork *delivery // the last that is running; nil: none is, from here on
	for d := range a.schedule.all() {
		a.keep(d)
		if d.state == running {
			atWork = d
		}
	}
	t.set(true)
	n, fewest := 0, t.room.fewest()
	w.rebuild(func(d *delivery) bool {
		if n >= fewest && atWork == nil && !d.held {
			t.lowest = earlier(t.lowest, d.event)
			return false
		}
		n++
		if d == atWork {
			atWork = nil
		}
		return true
	})
}

// evict returns deliveries to the tail that came from it ahead of their turn, of a project
// that still waits for what was held: that may be in the tail, too.
func (w *window) evict(project int64) {
	read := earlier(w.tail.after, justBefore(w.tail.lowest))
	w.rebuild(func(d *delivery) bool {
		return d.project != project || d.state == running || state.Compare(d.event, read) <= 0
	})
	for d := range w.agenda.schedule.all() {
		d.early = d.early || d.project == project && state.Compare(d.event, read) > 0
	}
}

// rebuild returns the deliveries that do not stay to the tail; all of them are stored.
func (w *window) rebuild(stays func(*delivery) bool) {
	w.agenda.rebuild(stays)
	w.tail.spilled, w.tail.scout = w.tail.asked != nil, true // what is being read may lack it
}
