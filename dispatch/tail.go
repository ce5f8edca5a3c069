package dispatch

import (
	"slices"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// tail is the part of a window that is only in the store.
type tail struct {
	room *windows // shared size of the windows of all lanes

	open   bool       // there may be rows that the agenda lacks
	after  mapping.ID // rows up to this event have been read
	lowest mapping.ID // first event added to the tail since then; theEnd: none

	asked   *question               // what is being read; nil: nothing
	recent  []*item                 // items added to the tail since it was asked
	spilled bool                    // recent is incomplete
	gone    map[mapping.ID]struct{} // events removed from the store since then

	ceiling cdc.LSN // rows of later commits wait until the stream has passed them
	blocked bool    // the next rows are of this kind
	hurried bool    // rows do not wait for their next attempt
	scout   bool    // there may be untried heads
}

// question is what a window asks the store for: a part of the tail, or heads in it.
type question struct {
	part  state.Part
	heads *state.Heads // replaces the part
}

func newTail(room *windows) tail {
	return tail{room: room, after: theEnd(), lowest: theEnd(), ceiling: theEnd().Commit}
}

// add records an item that is stored behind all others.
func (t *tail) add(it *item) {
	t.lowest = earlier(t.lowest, it.event)
	t.scout = true
	if it.event.Commit <= t.ceiling {
		t.blocked = false
	}
	switch {
	case t.asked == nil:
	case len(t.recent) < t.room.chunk():
		t.recent = append(t.recent, it)
		delete(t.gone, it.event) // it was added again
	default:
		t.spilled = true
	}
}

// left records an item that leaves the store.
func (t *tail) left(it *item) {
	if t.asked != nil {
		t.gone[it.event] = struct{}{}
	}
}

// set opens or closes the tail.
func (t *tail) set(open bool) {
	if open != t.open {
		t.open = open
		t.room.count(open)
	}
}

// ask records what is being read.
func (t *tail) ask(q question) *question {
	t.asked, t.gone = &q, make(map[mapping.ID]struct{})
	return t.asked
}

// need defines what a window may read.
type need struct {
	now     time.Time
	away    bool // the hook gets nothing, or only probes: a few rows are enough
	failing bool
	heads   time.Time // when the store may be asked for heads
	busy    bool      // heads must not be requested
}

// wants returns what to read from the store now, nil if nothing is useful. Then at is
// when heads may be requested, if that only depends on time. Call loaded with the answer.
func (w *window) wants(n need) (q *question, at time.Time) {
	t, schedule := &w.tail, &w.agenda.schedule
	if !t.open || t.asked != nil {
		return nil, at
	}
	room, rows := t.room.most(), t.room.chunk()
	if n.away {
		room = t.room.fewest()
		rows = room
	}
	waits := t.blocked && state.Compare(t.lowest, t.after) > 0
	if !waits && schedule.size < room && schedule.queue.len() < t.room.scarce() {
		if state.Compare(t.lowest, t.after) <= 0 {
			t.after = justBefore(t.lowest)
		}
		t.blocked, t.lowest = false, theEnd()
		return t.ask(question{part: state.Part{After: t.after, Rows: rows}}), at
	}
	switch {
	case n.busy || !t.scout:
		return nil, at
	case n.heads.After(n.now):
		return nil, n.heads
	}
	return w.wantsHeads(n.failing), at
}

// probeHeads is the number of heads read at a time for the probes of a failing hook.
const probeHeads = 16

// wantsHeads asks for untried heads: the newest for the probes of a failing hook, or any
// if the agenda is full of items that cannot go.
func (w *window) wantsHeads(failing bool) *question {
	t, a := &w.tail, &w.agenda
	rows, most := probeHeads, t.room.most()
	switch {
	case failing && a.schedule.size >= most:
		w.beginTail() // drops tried heads; all of them are stored
	case failing:
	case a.schedule.size < most || a.schedule.size > most+mostWindow || a.schedule.queue.len() > 0:
		return nil // what comes next in the tail is useful, or nothing is
	default:
		rows = t.room.chunk()
	}
	t.scout = false
	wanted := &state.Heads{Upto: t.ceiling, Rows: rows}
	known := make(map[taskKey]struct{})
	for it := range a.schedule.all() {
		if it.held {
			wanted.Passed = append(wanted.Passed, state.Task{Project: it.project, Task: it.task})
		} else if key := (taskKey{it.project, it.task}); it.state != behind {
			if _, again := known[key]; !again {
				known[key] = struct{}{}
				wanted.Known = append(wanted.Known, state.Task{Project: it.project, Task: it.task})
			}
		}
	}
	return t.ask(question{heads: wanted})
}

// loaded adds the items of the rows that wants has requested.
func (w *window) loaded(rows []*item) []note {
	t := &w.tail
	for it := range w.agenda.schedule.all() {
		t.gone[it.event] = struct{}{}
	}
	if t.asked.heads != nil {
		t.scouted(&w.agenda, rows)
	} else {
		t.read(&w.agenda, rows)
	}
	t.asked, t.recent, t.spilled, t.gone = nil, nil, false, nil
	return w.agenda.flush()
}

// read adds the items of a part to the agenda. If they are the last, the tail ends.
func (t *tail) read(a *agenda, rows []*item) {
	n, last := 0, len(rows) < t.asked.part.Rows
	for n < len(rows) && rows[n].event.Commit <= t.ceiling &&
		state.Compare(rows[n].event, t.lowest) < 0 { // items added to the tail meanwhile precede the others
		t.after = rows[n].event
		if t.isNew(rows[n]) {
			a.restore(rows[n], t.hurried)
		}
		n++
	}
	if !last || t.spilled || !areIn(t.recent, rows[n:]) {
		t.blocked = n < len(rows) && rows[n].event.Commit > t.ceiling
		return
	}
	for _, it := range t.recent {
		if t.isNew(it) {
			a.schedule.add(it)
			a.stored++
		}
	}
	t.set(false)
	t.hurried, t.scout = false, false
	t.after, t.lowest, t.ceiling = theEnd(), theEnd(), theEnd().Commit
}

// scouted adds heads to the agenda.
func (t *tail) scouted(a *agenda, heads []*item) {
	for _, it := range heads {
		overtaken := t.spilled || slices.ContainsFunc(t.recent, func(r *item) bool { return state.Compare(r.event, it.event) < 0 })
		if overtaken || it.event.Commit > t.ceiling || !t.isNew(it) {
			t.scout = true
			continue
		}
		a.schedule.add(it)
		a.stored++
	}
}

// isNew reports whether the item has come from the store for the first time.
func (t *tail) isNew(it *item) bool {
	_, again := t.gone[it.event]
	t.gone[it.event] = struct{}{}
	return !again
}

// areIn reports whether all rows belong to these items: otherwise they must be read
// again.
func areIn(items, rows []*item) bool {
	for _, row := range rows {
		if !slices.ContainsFunc(items, func(it *item) bool { return it.event == row.event }) {
			return false
		}
	}
	return true
}
