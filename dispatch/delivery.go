package dispatch

import (
	"sync/atomic"
	"time"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// Delivery is an event on its way to one hook.
type Delivery struct {
	hook.Target
	Event *mapping.Event

	// Done is called exactly once, when the Dispatcher answers for the delivery no
	// more, or by other means than memory: it is delivered, in the Store, dead, or
	// no longer wanted. It is not called for what is unfinished when the Dispatcher
	// is closed. It must not block, nor call the Dispatcher. Nil is allowed.
	Done func()
}

// item is a delivery in its lane. One goroutine at a time may have it out of
// the schedule, to attempt it; all else is guarded by the lane.
type item struct {
	hook.Target
	event     mapping.ID
	project   int64
	task      int64
	committed time.Time

	letter *letter // nil once the store alone answers for the body
	done   func()  // Delivery.Done; nil once it was called
	body   []byte  // read from the store, for the next attempt
	bytes  int     // of the body

	sought     bool // body is being read, with those of others
	stored     bool // there is a row, or an insert is on its way
	kept       bool // the row is committed
	unstorable bool // the row is dead, since the store refused the body
	trails     bool // when it came, rows of its hook had still to be removed

	held  bool   // its project does not wait for it; of those of its task, the first alone
	early bool   // while it is running, something else has come to stand before it
	again bool   // it is tried again at once, if the present attempt fails
	fate  Reason // of its death; ReasonNone: it is to be attempted

	doubted bool // it is dead, unless the own network turns out to have been gone

	state stage

	added   time.Time
	excused time.Duration // network.lost at that time
	attempt int           // made or under way

	trial  *trial    // nil: it has not failed
	at     time.Time // of the next attempt, while waiting
	place  int       // in the heap of those that wait
	follow *item     // of the same task, or behind the same barrier
	older  *item     // in the lane
	newer  *item
}

func newItem(d Delivery, l *letter, now time.Time) *item {
	e := d.Event
	return &item{
		Target: d.Target, event: e.ID, project: e.Project, task: e.Task, committed: e.Committed,
		letter: l, done: d.Done, bytes: e.Body(d.Action, d.Payload).Len(), added: now,
	}
}

// restored is the item of a row. What the clock of who stored it says is held against
// now: it may have been ahead.
func restored(row *state.Row, now time.Time, longest time.Duration) *item {
	it := &item{
		Target: hook.Target{Hook: row.Hook, Action: row.Action}, event: row.Event,
		project: row.Project, task: row.Task, committed: row.Committed,
		bytes: row.Bytes, stored: true, kept: true, attempt: row.Attempts,
		added: now.Add(-max(0, now.Sub(row.Added))), // what the clock does from now on does not count
	}
	if row.Attempts > 0 {
		it.trial = &trial{result: row.LastResult, status: row.LastStatus}
	}
	if row.Next.After(now) {
		it.at = row.Next
		if latest := now.Add(longest); it.at.After(latest) {
			it.at = latest
		}
	}
	return it
}

// key is that of the item's row.
func (it *item) key() state.Key { return state.Key{Hook: it.Hook, Event: it.event} }

// row is the item's row without its body.
func (it *item) row() state.Row {
	row := state.Row{
		Key: it.key(), Action: it.Action, Project: it.project, Task: it.task, Committed: it.committed,
		Bytes: it.bytes, Attempts: it.attempt, Added: it.added,
	}
	if it.trial != nil {
		row.LastResult, row.LastStatus = it.trial.result, it.trial.status
	}
	if it.state == waiting {
		row.Next = it.at
	}
	return row
}

// drop lets go of what the store has as well.
func (it *item) drop() {
	it.body = nil
	if it.kept {
		it.letter = nil
	}
}

// sinceCommit is the time since the commit: by the own clock alone, if the event
// is still in memory.
func (it *item) sinceCommit(now time.Time) time.Duration {
	if it.letter != nil {
		e := it.letter.event
		return max(0, e.Age) + now.Sub(e.Received)
	}
	return max(0, now.Sub(it.committed))
}

// message is what the attempt sends.
func (it *item) message() send.Message {
	if it.letter != nil {
		return it.letter.message(it.Target, it.attempt)
	}
	m := send.Message{
		ID: it.event.String(), LSN: it.event.Commit.String(), Committed: it.committed.UTC().Format(committedLayout),
		Attempt: it.attempt, Body: mapping.BodyOf(it.body), Action: it.Action, Project: it.project, Task: it.task,
	}
	if it.event.IsRepair() {
		m.Origin = "repair"
	}
	return m
}

// letter is what the deliveries of one event share.
type letter struct {
	event     *mapping.Event
	id        string
	lsn       string
	committed string
	left      atomic.Int32 // deliveries that are not finished
	bytes     int64        // that it holds
}

const committedLayout = "2006-01-02T15:04:05.000000Z07:00"

func newLetter(e *mapping.Event, deliveries int) *letter {
	var room [96]byte
	text := e.ID.Append(room[:0])
	id := len(text)
	text = e.ID.AppendLSN(text)
	lsn := len(text)
	all := string(e.Committed.UTC().AppendFormat(text, committedLayout))
	l := &letter{event: e, id: all[:id], lsn: all[id:lsn], committed: all[lsn:]}
	l.left.Store(int32(deliveries))
	l.bytes = int64(e.Bytes() + deliveries*itemBytes)
	return l
}

// itemBytes is about the size of an item with its place in a schedule.
const itemBytes = 352

// message is what the attempt sends.
func (l *letter) message(t hook.Target, attempt int) send.Message {
	e := l.event
	return send.Message{
		ID: l.id, LSN: l.lsn, Committed: l.committed, Attempt: attempt, Body: e.Body(t.Action, t.Payload),
		Action: t.Action, Project: e.Project, Task: e.Task,
	}
}
