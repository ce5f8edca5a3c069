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

// delivery is a Delivery in its lane. One goroutine at a time may take it out of the
// schedule for an attempt; everything else is guarded by the lane.
type delivery struct {
	hook.Target
	event     mapping.ID
	project   int64
	task      int64
	committed time.Time

	shared *sharedEvent // nil if the body is only in the store
	done   func()       // Delivery.Done; nil after the call

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

// storage is what the store has of a delivery.
type storage struct {
	stored     bool   // its row exists, or is being inserted
	kept       bool   // the row is committed
	unstorable bool   // the row is dead, since the store refused the body
	trails     bool   // when the delivery came, rows of its hook were still to be removed
	body       []byte // read from the store for the next attempt
	sought     bool   // body is being read, together with others
	bytes      int    // size of the body
}

// spot is where a delivery is in its schedule.
type spot struct {
	state  stage
	held   bool      // its project does not wait for it; set for the first of its task only
	early  bool      // while it was running, another delivery was placed before it
	place  int       // index in the heap of waiting deliveries
	follow *delivery // next one of the same task, or behind the same barrier
	older  *delivery // neighbours in the lane
	newer  *delivery
}

func newDelivery(d Delivery, shared *sharedEvent, now time.Time) *delivery {
	e := d.Event
	return &delivery{
		Target: d.Target, event: e.ID, project: e.Project, task: e.Task, committed: e.Committed,
		shared: shared, done: d.Done, storage: storage{bytes: e.Body(d.Action, d.Payload).Len()}, added: now,
	}
}

// restored returns the delivery of a row. It compares the row's times with the present
// clock, since the clock that set them may have been ahead. From then on only durations
// count: later changes of the clock do not matter.
func restored(row *state.Row, now time.Time, longest time.Duration) *delivery {
	d := &delivery{
		Target: hook.Target{Hook: row.Hook, Action: row.Action}, event: row.Event,
		project: row.Project, task: row.Task, committed: row.Committed,
		storage: storage{bytes: row.Bytes, stored: true, kept: true}, attempt: row.Attempts,
		added: now.Add(-max(0, now.Sub(row.Added))),
	}
	if row.Attempts > 0 {
		d.trial = &trial{result: row.LastResult, status: row.LastStatus}
		if isRejection(row.LastStatus) {
			d.trial.denied = 1 // at least: how many is not stored
		}
	}
	if row.Next.After(now) {
		d.at = now.Add(min(row.Next.Sub(now), longest))
	}
	return d
}

// row returns the delivery's row without its body.
func (d *delivery) row() state.Row {
	t := d.tries()
	row := state.Row{
		Key: state.Key{Hook: d.Hook, Event: d.event}, Action: d.Action, Project: d.project, Task: d.task, Committed: d.committed,
		Bytes: d.bytes, Attempts: d.counted(), Added: d.added, LastResult: t.result, LastStatus: t.status,
	}
	if d.state == waiting {
		row.Next = d.at
	}
	return row
}

// drop releases what is also in the store.
func (d *delivery) drop() {
	d.body = nil
	if d.kept {
		d.shared = nil
	}
}

// sinceCommit returns the time since the commit: only by the local clock, if the event is
// still in memory.
func (d *delivery) sinceCommit(now time.Time) time.Duration {
	if d.shared != nil {
		e := d.shared.event
		return max(0, e.Age) + now.Sub(e.Received)
	}
	return max(0, now.Sub(d.committed))
}

func (d *delivery) message() send.Message {
	if d.shared != nil {
		return d.shared.message(d.Target, d.attempt)
	}
	m := messageOf(d.event, d.committed)
	m.Attempt, m.Body, m.Action, m.Project, m.Task = d.attempt, mapping.BodyOf(d.body), d.Action, d.project, d.task
	return m
}

// messageOf returns a message of the event, whose body is no longer in memory.
func messageOf(id mapping.ID, committed time.Time) send.Message {
	m := send.Message{ID: id.String(), LSN: id.Commit.String(), Committed: committed.UTC().Format(mapping.CommittedLayout)}
	if id.IsRepair() {
		m.Origin = "repair"
	}
	return m
}

// sharedEvent is an event with what its deliveries share.
type sharedEvent struct {
	event     *mapping.Event
	id        string
	lsn       string
	committed string
	left      atomic.Int32 // unfinished deliveries
	load      load         // bytes that it holds
}

func newSharedEvent(e *mapping.Event, deliveries int) *sharedEvent {
	var room [96]byte
	text := e.ID.Append(room[:0])
	id := len(text)
	text = e.ID.AppendLSN(text)
	lsn := len(text)
	all := string(e.Committed.UTC().AppendFormat(text, mapping.CommittedLayout))
	shared := &sharedEvent{event: e, id: all[:id], lsn: all[id:lsn], committed: all[lsn:]}
	shared.left.Store(int32(deliveries))
	own, others, key := e.BytesApart()
	shared.load = load{own: int64(own + deliveries*deliveryBytes), shared: int64(others), key: key}
	return shared
}

// deliveryBytes is the approximate size of a delivery with its place in a schedule.
const deliveryBytes = 352

func (shared *sharedEvent) message(t hook.Target, attempt int) send.Message {
	e := shared.event
	return send.Message{
		ID: shared.id, LSN: shared.lsn, Committed: shared.committed, Attempt: attempt, Body: e.Body(t.Action, t.Payload),
		Action: t.Action, Project: e.Project, Task: e.Task,
	}
}
