package dispatch

import (
	"sync/atomic"
	"time"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// Delivery is an event for one hook.
type Delivery struct {
	hook.Target
	Event *mapping.Event

	// Done is called exactly once, when the Dispatcher is no longer responsible for the
	// delivery in memory: it is delivered, in the Store, dead, or no longer wanted. It is
	// not called for deliveries that are unfinished when the Dispatcher is closed. It
	// must not block, nor call the Dispatcher. It may be nil.
	Done func()
}

// item is a delivery in its lane. One goroutine at a time may take it out of the schedule
// for an attempt; everything else is guarded by the lane.
type item struct {
	hook.Target
	event     mapping.ID
	project   int64
	task      int64
	committed time.Time

	letter *letter // nil if the body is only in the store
	done   func()  // Delivery.Done; nil after the call

	added   time.Time
	excused time.Duration // network.lost at that time
	attempt int           // number of attempts, including the present one
	trial   *trial        // nil: it has not failed
	at      time.Time     // time of the next attempt, while waiting
	again   bool          // to be retried immediately if the present attempt fails
	doubted bool          // dead, unless our own network turns out to have been down
	fate    Reason        // reason of its death; ReasonNone: it is to be attempted

	storage
	spot
}

// storage is what the store has of an item.
type storage struct {
	stored     bool   // its row exists, or is being inserted
	kept       bool   // the row is committed
	unstorable bool   // the row is dead, since the store refused the body
	trails     bool   // when the item came, rows of its hook were still to be removed
	body       []byte // read from the store for the next attempt
	sought     bool   // body is being read, together with others
	bytes      int    // size of the body
}

// spot is where an item is in its schedule.
type spot struct {
	state  stage
	held   bool  // its project does not wait for it; set for the first of its task only
	early  bool  // while it was running, another item was placed before it
	place  int   // index in the heap of waiting items
	follow *item // next one of the same task, or behind the same barrier
	older  *item // neighbours in the lane
	newer  *item
}

func newItem(d Delivery, l *letter, now time.Time) *item {
	e := d.Event
	return &item{
		Target: d.Target, event: e.ID, project: e.Project, task: e.Task, committed: e.Committed,
		letter: l, done: d.Done, storage: storage{bytes: e.Body(d.Action, d.Payload).Len()}, added: now,
	}
}

// restored returns the item of a row. It compares the row's times with the present clock,
// since the clock that set them may have been ahead.
func restored(row *state.Row, now time.Time, longest time.Duration) *item {
	it := &item{
		Target: hook.Target{Hook: row.Hook, Action: row.Action}, event: row.Event,
		project: row.Project, task: row.Task, committed: row.Committed,
		storage: storage{bytes: row.Bytes, stored: true, kept: true}, attempt: row.Attempts,
		added: now.Add(-max(0, now.Sub(row.Added))), // later changes of the clock do not matter
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

// key returns the key of the item's row.
func (it *item) key() state.Key { return state.Key{Hook: it.Hook, Event: it.event} }

// row returns the item's row without its body.
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

// drop releases what is also in the store.
func (it *item) drop() {
	it.body = nil
	if it.kept {
		it.letter = nil
	}
}

// sinceCommit returns the time since the commit: only by the local clock, if the event is
// still in memory.
func (it *item) sinceCommit(now time.Time) time.Duration {
	if it.letter != nil {
		e := it.letter.event
		return max(0, e.Age) + now.Sub(e.Received)
	}
	return max(0, now.Sub(it.committed))
}

// message returns the content of the attempt.
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

// letter is shared by the deliveries of one event.
type letter struct {
	event     *mapping.Event
	id        string
	lsn       string
	committed string
	left      atomic.Int32 // unfinished deliveries
	bytes     int64        // bytes that it holds
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

// itemBytes is the approximate size of an item with its place in a schedule.
const itemBytes = 352

// message returns the content of the attempt.
func (l *letter) message(t hook.Target, attempt int) send.Message {
	e := l.event
	return send.Message{
		ID: l.id, LSN: l.lsn, Committed: l.committed, Attempt: attempt, Body: e.Body(t.Action, t.Payload),
		Action: t.Action, Project: e.Project, Task: e.Task,
	}
}
