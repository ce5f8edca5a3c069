package dispatch

import (
	"context"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// naive is the specification of a window: the list of events that the hook must still get,
// and the rows of the store. It has no tail and holds everything.
type naive struct {
	w      window
	room   windows
	known  map[mapping.ID]*owed
	stream []*owed             // all events that there were
	read   int                 // of the stream, by the present process
	left   []*owed             // in the order of the stream
	rows   map[mapping.ID]bool // committed
	queue  []operation         // returned by the window, and not committed
	asked  *question
	before int         // operations that were returned before that was asked
	found  []*delivery // what the store has answered; nil: it has not
	away   bool        // the hook gets nothing for a while
	now    time.Time
}

// owed is an event that the hook must still get.
type owed struct {
	id      mapping.ID
	project int64
	task    int64
	tries   int
	out     *delivery // handed out
	safe    bool      // the slot need not bring it again
}

func (o *owed) isOfTask(other *owed) bool { return o.project == other.project && o.task == other.task }

// enqueue adds the operations that the window has returned.
func (m *naive) enqueue(operations []operation) { m.queue = append(m.queue, operations...) }

// commit writes the first n operations.
func (m *naive) commit(n int) {
	for i := range n {
		op := &m.queue[i]
		if op.ask != nil {
			_ = op.ask(context.Background())
			continue
		}
		switch op.kind {
		case insert:
			m.rows[op.delivery.event] = op.row.State != state.Dead
			m.known[op.delivery.event].safe = true
		case remove, entomb:
			m.rows[op.delivery.event] = false
		}
		if !m.rows[op.delivery.event] {
			delete(m.rows, op.delivery.event)
		}
		m.w.wrote(op)
	}
	m.queue = m.queue[n:]
	m.before = max(0, m.before-n)
}

// stored returns the rows' events in order.
func (m *naive) stored() []mapping.ID {
	var ids []mapping.ID
	for id := range m.rows {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, state.Compare)
	return ids
}

func (m *naive) row(id mapping.ID) *delivery {
	o := m.known[id]
	row := state.Row{Key: state.Key{Hook: 1, Event: id}, Project: o.project, Task: o.task, Added: m.now, Attempts: o.tries}
	return restored(&row, m.now, time.Hour)
}

// look makes the store read what the window has asked for, after all earlier operations.
func (m *naive) look() {
	if m.asked == nil || m.found != nil {
		return
	}
	m.commit(m.before)
	m.found = []*delivery{}
	if m.asked.heads == nil {
		for _, id := range m.stored() {
			if state.Compare(id, m.asked.part.After) > 0 && len(m.found) < m.asked.part.Rows {
				m.found = append(m.found, m.row(id))
			}
		}
		return
	}
	ids := m.stored()
	slices.Reverse(ids)
	for _, id := range ids {
		o := m.known[id]
		if len(m.found) < m.asked.heads.Rows && o.tries == 0 && m.isHead(o, m.asked.heads.Passed) {
			m.found = append(m.found, m.row(id))
		}
	}
}

// answer passes the rows to the window.
func (m *naive) answer() {
	if m.look(); m.asked != nil {
		found := m.found
		m.asked, m.found = nil, nil
		m.enqueue(m.w.loaded(found))
	}
}

// confirmed returns the part of the stream that the slot will not repeat.
func (m *naive) confirmed() int {
	for i, o := range m.stream[:m.read] {
		if !o.safe {
			return i
		}
	}
	return m.read
}

// crash ends the process and starts another one. It reports whether for each repeated
// event all later ones of its task are repeated, too.
func (m *naive) crash() (inOrder bool) {
	inOrder = true
	from := m.confirmed()
	m.w.tail.set(false)
	m.asked, m.found, m.queue, m.away = nil, nil, nil, false
	m.w, m.read, m.left = newWindow(&m.room, true, backoffInModel), from, nil
	for i, o := range m.stream {
		o.out = nil
		if o.safe = i < from; m.rows[o.id] || i >= from {
			m.left = append(m.left, o)
			continue
		}
		inOrder = inOrder && !slices.ContainsFunc(m.left, o.isOfTask)
	}
	if len(m.rows) > 0 {
		m.enqueue(m.w.resume(cdc.LSN(999+from), cdc.LSN(999+len(m.stream))))
	}
	return inOrder
}

func backoffInModel(n int) time.Duration { return time.Duration(n) * time.Second }

// isWhole reports whether of the deliveries that wait for each other all are stored, or
// none. Deliveries behind a held one are judged separately.
func (m *naive) isWhole() bool {
	held, all := make(map[state.Task]bool), slices.Collect(m.w.agenda.schedule.all())
	for i, d := range all {
		held[state.Task{Project: d.project, Task: d.task}] = held[state.Task{Project: d.project, Task: d.task}] || d.held
		for _, before := range all[:i] {
			waits := before.project == d.project && (before.task == d.task || before.task == 0 || d.task == 0)
			apart := before.task != d.task && (held[state.Task{Project: d.project, Task: d.task}] || held[state.Task{Project: before.project, Task: before.task}])
			if waits && !apart && before.stored != d.stored {
				return false
			}
		}
	}
	return true
}

// isHead reports whether the event waits for no stored one.
func (m *naive) isHead(o *owed, passed []state.Task) bool {
	for _, id := range m.stored() {
		b := m.known[id]
		if state.Compare(id, o.id) >= 0 || b.project != o.project {
			continue
		}
		if b.task == o.task || (b.task == 0 || o.task == 0) && !slices.Contains(passed, state.Task{Project: b.project, Task: b.task}) {
			return false
		}
	}
	return true
}

// mayGo reports whether all deliveries before it are held ones of other tasks.
func (m *naive) mayGo(o *owed) bool {
	held := make(map[state.Task]bool)
	for d := range m.w.agenda.schedule.all() {
		if d.held {
			held[state.Task{Project: d.project, Task: d.task}] = true
		}
	}
	for _, b := range m.left {
		if b == o {
			return true
		}
		if b.project == o.project && (b.task == o.task || (b.task == 0 || o.task == 0) && !held[state.Task{Project: b.project, Task: b.task}]) {
			return false
		}
	}
	return false
}

// TestWindowAgainstNaiveList: in any sequence of arrivals, ends, failures, reads, writes
// and restarts, each delivery is handed out in its turn, none twice at a time, and all come
// to their end.
func TestWindowAgainstNaiveList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &naive{known: make(map[mapping.ID]*owed), rows: make(map[mapping.ID]bool), now: time.Unix(1e9, 0)}
		m.w = newWindow(&m.room, true, backoffInModel)
		for range rapid.SampledFrom([]int{0, 0, 10_000}).Draw(t, "other tails") {
			m.room.count(true)
		}
		handOut := func(d *delivery) {
			o := m.known[d.event]
			switch {
			case !slices.Contains(m.left, o):
				t.Fatalf("event %d is handed out and nobody is owed it", d.event.Ordinal)
			case o.out != nil:
				t.Fatalf("event %d is handed out twice", d.event.Ordinal)
			case !m.mayGo(o):
				t.Fatalf("event %d is handed out before its turn", d.event.Ordinal)
			}
			o.out = d
			d.attempt++
			o.tries++
		}
		ask := func(away, failing bool) {
			if q, _ := m.w.wants(need{now: m.now, away: away, failing: failing}); q != nil {
				if m.asked != nil {
					t.Fatal("two questions at a time")
				}
				m.asked, m.before = q, len(m.queue)
			}
		}
		finish := func(o *owed, s step) {
			d := o.out
			m.left = slices.DeleteFunc(m.left, func(x *owed) bool { return x == o })
			m.enqueue(m.w.done(d, verdict{step: s}, m.now))
			switch {
			case d.stored: // safe once that is committed
			case d.trails:
				m.enqueue([]operation{{ask: func(context.Context) error {
					o.safe = true
					return nil
				}}})
			default:
				o.safe = true
			}
		}
		accept := func(e *mapping.Event) {
			m.read++
			m.enqueue(m.w.accept(newDelivery(deliveryTo(1, e, nil), newSharedEvent(e, 1), m.now), m.away))
		}
		out := func() []*owed {
			return slices.DeleteFunc(slices.Clone(m.left), func(o *owed) bool { return o.out == nil })
		}
		t.Repeat(map[string]func(*rapid.T){
			"accept": func(t *rapid.T) {
				for range rapid.SampledFrom([]int{1, 1, 3, 40}).Draw(t, "events") {
					if m.read < len(m.stream) { // it comes again
						o := m.stream[m.read]
						accept(&mapping.Event{ID: o.id, Project: o.project, Task: o.task})
						continue
					}
					e := &mapping.Event{
						ID:      mapping.ID{Timeline: 1, Commit: cdc.LSN(1000 + m.read), Ordinal: m.read},
						Project: rapid.Int64Range(1, 2).Draw(t, "project"), Task: rapid.Int64Range(0, 4).Draw(t, "task"),
					}
					o := &owed{id: e.ID, project: e.Project, task: e.Task}
					m.known[e.ID] = o
					m.stream, m.left = append(m.stream, o), append(m.left, o)
					accept(e)
				}
			},
			"confirm": func(*rapid.T) { m.w.passed(cdc.LSN(1000 + m.confirmed())) },
			"away": func(*rapid.T) {
				if m.away = !m.away; m.away {
					m.enqueue(m.w.keep(true))
				}
			},
			"next": func(t *rapid.T) {
				mode := rapid.SampledFrom([]mode{inOrder, inOrder, asProbe, atOnce, onlyLate}).Draw(t, "mode")
				given := terms{now: m.now, mode: mode, gentle: rapid.Bool().Draw(t, "gentle"), newest: rapid.Bool().Draw(t, "newest")}
				if rapid.Bool().Draw(t, "bounded") {
					patience := time.Duration(rapid.IntRange(0, 200).Draw(t, "patience")) * time.Second
					given.left = func(d *delivery) time.Duration { return patience - m.now.Sub(d.added) }
				}
				switch d, at := m.w.next(given); {
				case d != nil:
					handOut(d)
				case !at.IsZero() && at.Before(m.now):
					t.Fatalf("nothing may go, since %v ago", m.now.Sub(at))
				}
			},
			"end": func(t *rapid.T) {
				if some := out(); len(some) > 0 {
					finish(rapid.SampledFrom(some).Draw(t, "event"), rapid.SampledFrom([]step{deliver, bury, drop}).Draw(t, "step"))
				}
			},
			"fail": func(t *rapid.T) {
				if some := out(); len(some) > 0 {
					o := rapid.SampledFrom(some).Draw(t, "event")
					o.out.fails(send.Outcome{Result: send.Result5xx, Status: 500}, false)
					d := o.out
					o.out = nil
					due := m.now.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "seconds")) * time.Second)
					m.enqueue(m.w.retryAt(d, delay{
						now: m.now, due: due, at: due, save: rapid.Bool().Draw(t, "save"),
						doubt: rapid.Bool().Draw(t, "doubt"), failed: true, spared: rapid.Bool().Draw(t, "spared"),
					}))
				}
			},
			"wait": func(t *rapid.T) {
				m.now = m.now.Add(time.Duration(rapid.IntRange(1, 70).Draw(t, "seconds")) * time.Second)
			},
			"read":   func(t *rapid.T) { ask(m.away, rapid.Bool().Draw(t, "failing")) },
			"look":   func(*rapid.T) { m.look() },
			"answer": func(*rapid.T) { m.answer() },
			"write": func(t *rapid.T) {
				if len(m.queue) > 0 {
					m.commit(rapid.IntRange(1, len(m.queue)).Draw(t, "operations"))
				}
			},
			"keep":   func(t *rapid.T) { m.enqueue(m.w.keep(rapid.Bool().Draw(t, "all"))) },
			"spill":  func(*rapid.T) { m.enqueue(m.w.rewind(theEnd())) },
			"hasten": func(*rapid.T) { m.w.hasten() },
			"rewind": func(t *rapid.T) {
				to := rapid.IntRange(0, len(m.stream)).Draw(t, "to")
				m.enqueue(m.w.rewind(mapping.ID{Timeline: 1, Commit: cdc.LSN(1000 + to), Ordinal: to}))
			},
			"restart": func(t *rapid.T) {
				if rapid.Bool().Draw(t, "in order") {
					m.enqueue(m.w.keep(true))
					m.commit(len(m.queue))
				}
				if !m.crash() {
					t.Fatal("an event comes again, and not what followed it")
				}
			},
			"": func(t *rapid.T) {
				if !m.isWhole() {
					t.Fatal("of deliveries that wait for each other some are stored")
				}
				if a := &m.w.agenda; a.stored > a.schedule.size || m.w.tail.open && a.stored != a.schedule.size {
					t.Fatalf("%d of %d are stored, tail %t", a.stored, a.schedule.size, m.w.tail.open)
				}
			},
		})
		for range 100 * (len(m.left) + 10) { // nothing is lost: all of it comes to its end
			m.now = m.now.Add(2 * time.Minute)
			for {
				d, _ := m.w.next(terms{now: m.now})
				if d == nil {
					break
				}
				handOut(d)
			}
			for _, o := range out() {
				finish(o, deliver)
			}
			m.commit(len(m.queue))
			for m.read < len(m.stream) {
				o := m.stream[m.read]
				accept(&mapping.Event{ID: o.id, Project: o.project, Task: o.task})
			}
			m.w.passed(cdc.LSN(1000 + m.confirmed()))
			ask(false, false)
			m.answer()
		}
		m.commit(len(m.queue))
		if len(m.left) > 0 || !m.w.isEmpty() || m.w.hasSome() || m.w.agenda.leaving != 0 || len(m.rows) > 0 {
			t.Fatalf("%d are left, %d in the window, %d rows, tail %t", len(m.left), m.w.agenda.schedule.size, len(m.rows), m.w.tail.open)
		}
	})
}
