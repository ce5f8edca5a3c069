package dispatch

import (
	"container/heap"
	"slices"

	"github.com/hooktail/hooktail/dispatch/parking"
	"github.com/hooktail/hooktail/mapping"
)

// append stores the item in the tail.
func (w *window) append(it *item) {
	w.put(it)
	w.lowest = earlier(w.lowest, it.event)
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
	return w.flush()
}

func (w *window) beginTail() {
	for it := range w.schedule.all() {
		w.keep(it)
	}
	w.setTail(true)
	w.spilled = w.reading
	n, fewest, atWork := 0, w.room.fewest(), w.running()
	w.schedule = w.schedule.rebuilt(func(it *item) bool {
		if n >= fewest && atWork == 0 {
			w.lowest = earlier(w.lowest, it.event)
			it.state = behind
			return false
		}
		n++
		if it.state == running {
			atWork--
		}
		return true
	})
	w.stored = w.schedule.size
	kept := w.waiting[:0]
	for _, it := range w.waiting {
		if it.state == waiting {
			kept = append(kept, it)
		}
	}
	clear(w.waiting[len(kept):])
	w.waiting = kept
	heap.Init(&w.waiting)
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
func (w *window) wants(away bool) (part parking.Part, ok bool) {
	room, rows := w.room.most(), w.room.chunk()
	if away {
		room = w.room.fewest()
		rows = room
	}
	if !w.tail || w.reading || w.schedule.size >= room || w.schedule.queue.len() >= w.room.scarce() {
		return part, false
	}
	if parking.Compare(w.lowest, w.after) <= 0 {
		w.after = justBefore(w.lowest)
	}
	w.reading, w.lowest, w.gone = true, theEnd(), make(map[mapping.ID]struct{})
	return parking.Part{After: w.after, Rows: rows}, true
}

// loaded adds the items of the rows that wants asked for. If they are the last of
// the tail, it has come to its end.
func (w *window) loaded(rows []*item, last bool) []note {
	known := w.gone
	for it := range w.schedule.all() {
		known[it.event] = struct{}{}
	}
	n := 0
	for n < len(rows) && parking.Compare(rows[n].event, w.lowest) < 0 { // what went to the tail meanwhile comes before the others
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
		w.after, w.lowest = theEnd(), theEnd()
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
	if it.state == ready && !it.at.IsZero() {
		w.schedule.hold(it)
		heap.Push(&w.waiting, it)
	}
}
