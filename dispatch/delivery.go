package dispatch

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hooktail/hooktail/mapping"
)

// Delivery is an event on its way to one hook.
type Delivery struct {
	Target
	Event *mapping.Event

	// Done is called exactly once, when the delivery is finished for good:
	// delivered, dead, or no longer wanted. It is not called for what is
	// unfinished when the Dispatcher is closed. It must not block, nor call the
	// Dispatcher. Nil is allowed.
	Done func()
}

// item is a delivery in its lane. One goroutine at a time may have it out of
// the schedule, to attempt it; all else is guarded by the lane.
type item struct {
	Delivery
	letter  *letter
	added   time.Time
	attempt int // made or under way

	state  state
	at     time.Time // of the next attempt, while waiting
	follow *item     // of the same task, or behind the same barrier
	older  *item     // in the lane
	newer  *item
}

// letter is what the deliveries of one event share.
type letter struct {
	event     *mapping.Event
	id        string
	lsn       string
	committed string
	left      atomic.Int32 // deliveries that are not finished
	held      atomic.Int64 // bytes

	mu     sync.Mutex
	bodies []body
}

// body is the request's body in one of the forms in which hooks want it.
type body struct {
	action  mapping.Action
	payload bool
	bytes   []byte
}

const committedLayout = "2006-01-02T15:04:05.000000Z07:00"

func newLetter(e *mapping.Event, deliveries int) *letter {
	l := &letter{
		event: e, id: e.ID.String(), lsn: e.ID.Commit.String(),
		committed: e.Committed.UTC().Format(committedLayout),
	}
	l.left.Store(int32(deliveries))
	l.held.Store(int64(e.Bytes() + deliveries*itemBytes))
	return l
}

// itemBytes is about the size of an item with its place in a schedule.
const itemBytes = 256

// message is what the attempt sends. The body is built when it is first asked
// for, and grown is its size then, otherwise 0.
func (l *letter) message(t Target, attempt int) (m Message, grown int64) {
	m = Message{ID: l.id, LSN: l.lsn, Committed: l.committed, Attempt: attempt}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.bodies {
		if b := &l.bodies[i]; b.action == t.Action && b.payload == t.Payload {
			m.Body = b.bytes
			return m, 0
		}
	}
	m.Body = l.event.Body(t.Action, t.Payload)
	l.bodies = append(l.bodies, body{t.Action, t.Payload, m.Body})
	grown = int64(len(m.Body))
	l.held.Add(grown)
	return m, grown
}
