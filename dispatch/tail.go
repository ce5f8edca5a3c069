package dispatch

import (
	"container/heap"
	"slices"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// append stores the item in the tail.
func (w *window) append(it *item) {
	w.put(it)
	w.lowest = earlier(w.lowest, it.event)
	w.scout = true
	if it.event.Commit <= w.ceiling {
		w.blocked = false
	}
	switch {
	case !w.reading:
	case len(w.recent) < w.room.chunk():
		w.recent = append(w.recent, it)
		delete(w.gone, it.event) // it has come once more
	default:
		w.spilled = true
	}
}

// spill leaves to the store alone what comes from now on, and what there is beyond
// the fewest.
func (w *window) spill() []note {
	w.beginTail()
	return w.flush()
}

// rewind has the tail read from that event on, since rows have come to it that the
// lane has not written.
func (w *window) rewind(to mapping.ID) []note {
	w.beginTail()
	w.lowest = earlier(w.lowest, to)
	w.blocked = false
	return w.flush()
}

func (w *window) beginTail() {
	for it := range w.schedule.all() {
		w.keep(it)
	}
	w.setTail(true)
	n, fewest, atWork := 0, w.room.fewest(), w.running()
	w.rebuild(func(it *item) bool {
		if n >= fewest && atWork == 0 && !it.held {
			w.lowest = earlier(w.lowest, it.event)
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
	read := earlier(w.after, justBefore(w.lowest))
	w.rebuild(func(it *item) bool {
		return it.project != project || it.state == running || state.Compare(it.event, read) <= 0
	})
	for it := range w.schedule.all() {
		it.early = it.early || it.project == project && state.Compare(it.event, read) > 0
	}
}

// rebuild leaves to the tail what is not to stay; all of it is stored.
func (w *window) rebuild(stays func(*item) bool) {
	w.schedule = w.schedule.rebuilt(func(it *item) bool {
		if stays(it) {
			return true
		}
		delete(w.blamed, it)
		it.state, it.held = behind, false
		return false
	})
	w.stored = w.schedule.size
	w.schedule.moved = true
	w.spilled, w.scout = w.reading, true // what is being read may not have it yet
	w.sift()
}

// running is how many items are handed out.
func (w *window) running() int {
	n := 0
	for it := range w.schedule.all() {
		if it.state == running {
			n++
		}
	}
	return n
}

func (w *window) setTail(tail bool) {
	if tail != w.tail {
		w.tail = tail
		w.room.count(tail)
	}
}

// wants is the part of the tail to read now; ok is false if none can be of use. away
// says that the hook gets nothing for a while. Call loaded with what was read.
func (w *window) wants(away bool) (part state.Part, ok bool) {
	room, rows := w.room.most(), w.room.chunk()
	if away {
		room = w.room.fewest()
		rows = room
	}
	if !w.tail || w.reading || w.blocked && state.Compare(w.lowest, w.after) > 0 || w.schedule.size >= room || w.schedule.queue.len() >= w.room.scarce() {
		return part, false
	}
	if state.Compare(w.lowest, w.after) <= 0 {
		w.after = justBefore(w.lowest)
	}
	w.reading, w.blocked, w.lowest, w.gone = true, false, theEnd(), make(map[mapping.ID]struct{})
	return state.Part{After: w.after, Rows: rows}, true
}

// loaded adds the items of the rows that wants asked for. If they are the last of
// the tail, it has come to its end.
func (w *window) loaded(rows []*item, last bool) []note {
	known := w.gone
	for it := range w.schedule.all() {
		known[it.event] = struct{}{}
	}
	n := 0
	for n < len(rows) && rows[n].event.Commit <= w.ceiling &&
		state.Compare(rows[n].event, w.lowest) < 0 { // what went to the tail meanwhile comes before the others
		w.after = rows[n].event
		if _, again := known[rows[n].event]; !again {
			known[rows[n].event] = struct{}{}
			w.restore(rows[n])
		}
		n++
	}
	recent, whole := w.recent, last && !w.spilled && areIn(w.recent, rows[n:])
	w.reading, w.recent, w.spilled, w.gone = false, nil, false, nil
	if whole {
		for _, it := range recent {
			if _, again := known[it.event]; !again {
				w.schedule.add(it)
				w.stored++
			}
		}
		w.setTail(false)
		w.hurried, w.scout = false, false
		w.after, w.lowest, w.ceiling = theEnd(), theEnd(), theEnd().Commit
	} else {
		w.blocked = n < len(rows) && rows[n].event.Commit > w.ceiling
	}
	return w.flush()
}

// areIn reports whether the rows are all of items of these: otherwise they are to be
// read once more.
func areIn(items, rows []*item) bool {
	for _, row := range rows {
		if !slices.ContainsFunc(items, func(it *item) bool { return it.event == row.event }) {
			return false
		}
	}
	return true
}

// restore adds the item of a row.
func (w *window) restore(it *item) {
	w.schedule.add(it)
	w.stored++
	if it.state == ready && !it.at.IsZero() && !w.hurried {
		w.schedule.hold(it)
		heap.Push(&w.waiting, it)
	}
}

// passed says that the stream has brought all events of these commits again.
func (w *window) passed(position cdc.LSN) {
	if position > w.ceiling {
		w.ceiling, w.blocked = position, false
	}
}
