package dispatch

import (
	"maps"
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
	recent  []*delivery             // deliveries added to the tail since it was asked
	spilled bool                    // recent is incomplete
	gone    map[mapping.ID]struct{} // events removed from the store since then

	ceiling cdc.LSN // rows of later commit records wait until the stream has passed them
	end     cdc.LSN // the stream cannot pass later commits that were stored before the start; 0: it can
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

// add records a delivery that is stored behind all others.
func (t *tail) add(d *delivery) {
	t.lowest = earlier(t.lowest, d.event)
	t.scout = true
	if d.event.Commit <= t.ceiling {
		t.blocked = false
	}
	switch {
	case t.asked == nil:
	case len(t.recent) < t.room.chunk():
		t.recent = append(t.recent, d)
		delete(t.gone, d.event) // it was added again
	default:
		t.spilled = true
	}
}

// reached returns the ceiling when the stream has passed everything up to the position. That is
// the end of a commit record, where the next one may begin: of two sessions that commit at once.
func (t *tail) reached(position cdc.LSN) cdc.LSN {
	if t.end > 0 && position >= t.end {
		return theEnd().Commit
	}
	return position - 1
}

// set opens or closes the tail.
func (t *tail) set(open bool) {
	if open != t.open {
		t.open = open
		t.room.count(open)
	}
}

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
// if the agenda is full of deliveries that cannot go.
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
	known := make(map[state.Task]struct{})
	for d := range a.schedule.all() {
		if task := (state.Task{Project: d.project, Task: d.task}); d.held {
			wanted.Passed = append(wanted.Passed, task)
		} else if d.state != behind {
			known[task] = struct{}{}
		}
	}
	wanted.Known = slices.Collect(maps.Keys(known))
	return t.ask(question{heads: wanted})
}

// loaded adds the deliveries of the rows that wants has requested.
func (w *window) loaded(rows []*delivery) []operation {
	t := &w.tail
	for d := range w.agenda.schedule.all() {
		t.gone[d.event] = struct{}{}
	}
	if t.asked.heads != nil {
		t.scouted(&w.agenda, rows)
	} else {
		t.read(&w.agenda, rows)
	}
	t.asked, t.recent, t.spilled, t.gone = nil, nil, false, nil
	return w.agenda.flush()
}

// read adds the deliveries of a part to the agenda. If they are the last, the tail ends.
func (t *tail) read(a *agenda, rows []*delivery) {
	n, last := 0, len(rows) < t.asked.part.Rows
	for n < len(rows) && rows[n].event.Commit <= t.ceiling &&
		state.Compare(rows[n].event, t.lowest) < 0 { // deliveries added to the tail meanwhile precede the others
		t.after = rows[n].event
		if t.isNew(rows[n]) {
			a.restore(rows[n], t.hurried)
		}
		n++
	}
	if !last || t.spilled || slices.ContainsFunc(rows[n:], t.isUnknown) {
		t.blocked = n < len(rows) && rows[n].event.Commit > t.ceiling
		return
	}
	for _, d := range t.recent {
		if t.isNew(d) {
			a.restore(d, t.hurried)
		}
	}
	t.set(false)
	t.hurried, t.scout = false, false
	t.after, t.lowest, t.ceiling = theEnd(), theEnd(), theEnd().Commit
}

// scouted adds heads to the agenda.
func (t *tail) scouted(a *agenda, heads []*delivery) {
	for _, d := range heads {
		overtaken := t.spilled || slices.ContainsFunc(t.recent, func(r *delivery) bool { return state.Compare(r.event, d.event) < 0 })
		if overtaken || d.event.Commit > t.ceiling || !t.isNew(d) {
			t.scout = true
			continue
		}
		a.restore(d, t.hurried)
	}
}

// isNew reports whether the delivery has come from the store for the first time.
func (t *tail) isNew(d *delivery) bool {
	_, again := t.gone[d.event]
	t.gone[d.event] = struct{}{}
	return !again
}

// isUnknown reports whether the row belongs to none of the deliveries that were added since
// the store was asked: it must be read again.
func (t *tail) isUnknown(row *delivery) bool {
	return !slices.ContainsFunc(t.recent, func(d *delivery) bool { return d.event == row.event })
}
