package dispatch

import "github.com/hooktail/hooktail/dispatch/state"

// admit adds and stores the item, if there is room for it in the window.
func (w *window) admit(it *item, room int) {
	if w.schedule.size >= room {
		w.beginTail()
		w.append(it)
		return
	}
	w.schedule.add(it)
	if w.schedule.projects[it.project].first == it && !it.held {
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

// left writes down that a stored item has left the schedule. The store may be slow to write
// it, and the note is not to hold the body until then.
func (w *window) left(it *item, v verdict) {
	it.body = nil
	w.stored--
	if w.reading {
		w.gone[it.event] = struct{}{}
	}
	switch v.step {
	case forgo: // it is not in the store any more
	case bury:
		w.leaving++
		n := w.note(entomb, it)
		n.row.Reason = v.reason.String()
	default:
		w.leaving++
		w.note(remove, it)
	}
}

// entomb stores an item that died without having been parked.
func (w *window) entomb(it *item, v verdict) {
	it.stored = true
	n := w.note(insert, it)
	n.row.State, n.row.Reason = state.Dead, v.reason.String()
}

func (w *window) note(k kind, it *item) *note {
	w.notes = append(w.notes, note{kind: k, item: it, row: it.row()})
	return &w.notes[len(w.notes)-1]
}
