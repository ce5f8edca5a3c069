package natslog

import (
	"context"
	"sync"
	"time"
)

// echo holds the newest messages that this process has written and the servers have
// acknowledged. A tail of the same process takes them from here instead of reading them back. It
// is safe for concurrent use.
type echo struct {
	limit int // of the bytes held; 0: nothing is

	mu       sync.Mutex    // guards the fields below
	from, to uint64        // all messages of the log above from, up to to, are here
	messages []*Message    // these, in the order of the log
	bytes    int           // of them
	near     bool          // the tail has read up to here, or further
	joined   bool          // it takes the messages from here
	grown    chan struct{} // receives a token after each add
	drained  chan struct{} // receives a token after each removal that leaves room
}

const (
	// echoFew is how many messages must wait here for a tail to leave its consumer.
	echoFew = 32
	// echoIdle is how long a tail waits here for messages before it goes back to a consumer,
	// which also gets those of another writer.
	echoIdle = time.Second
	// echoPace is how long the writer waits, after a batch, for a tail that is behind. A tail
	// that sends more slowly than a batch in this time is left behind, and reads from the servers.
	echoPace = 50 * time.Millisecond
	// messageRoom is about what a message takes beside its payload.
	messageRoom = 1 << 10
)

func newEcho(limit int) *echo {
	return &echo{limit: limit, grown: make(chan struct{}, 1), drained: make(chan struct{}, 1)}
}

// add takes over the messages behind the sequence after, up to the sequence last. All others
// between these are of no partition.
func (e *echo) add(after, last uint64, messages []*Message) {
	if e.limit == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if after != e.to { // others have written in between, or the log was cut back
		e.clear(after)
	}
	e.to = last
	for _, m := range messages {
		m.echo()
		e.messages = append(e.messages, m)
		e.bytes += m.Bytes + messageRoom
	}
	for e.bytes > e.limit { // the tail is left behind
		e.pop()
		e.near = false
	}
	signal(e.grown)
}

// begin forgets everything but that the log ends with that sequence.
func (e *echo) begin(end uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.clear(end)
}

// clear forgets everything up to the sequence. The caller holds mu.
func (e *echo) clear(to uint64) {
	clear(e.messages)
	e.from, e.to, e.messages, e.bytes, e.near, e.joined = to, to, e.messages[:0], 0, false, false
}

// pop removes and returns the first message. The caller holds mu.
func (e *echo) pop() *Message {
	m := e.messages[0]
	e.messages[0] = nil
	e.messages, e.from, e.bytes = e.messages[1:], m.Seq, e.bytes-m.Bytes-messageRoom
	if e.bytes <= e.limit/2 {
		signal(e.drained)
	}
	return m
}

// join reports whether the tail may go on here, which has read up to the sequence at: enough waits
// for it. A process has one tail at a time, which must leave.
func (e *echo) join(at uint64) bool {
	if e.limit == 0 {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.joined || at > e.to {
		return false
	}
	for len(e.messages) > 0 && e.messages[0].Seq <= at {
		e.pop()
	}
	e.near = at >= e.from
	e.joined = e.near && len(e.messages) >= echoFew
	return e.joined
}

// leave ends join.
func (e *echo) leave() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.joined, e.near = false, false
}

// next removes and returns the next message above the sequence at, for the tail that has joined.
// It returns nil if that must go on elsewhere: the message was here and is not any more, or none
// has come for some time.
func (e *echo) next(ctx context.Context, at uint64) (*Message, error) {
	var idle <-chan time.Time
	for {
		m, ok := e.above(at)
		if m != nil || !ok {
			return m, nil
		}
		if idle == nil {
			idle = time.After(echoIdle)
		}
		select {
		case <-e.grown:
		case <-idle:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// above removes and returns the first message above the sequence; nil: there is none yet. ok is
// false if there may have been one.
func (e *echo) above(at uint64) (m *Message, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.joined || at < e.from {
		return nil, false
	}
	if len(e.messages) > 0 { // the first one is above at: the tail has taken all before it
		m = e.pop()
	}
	e.near = true
	return m, true
}

// pace waits for the tail if it may be left behind, for a short time.
func (e *echo) pace(ctx context.Context) {
	var late <-chan time.Time
	for e.isStraggling() {
		if late == nil {
			late = time.After(echoPace)
		}
		select {
		case <-e.drained:
		case <-late: // it may be blocked: the writer does not wait again until it reads
			e.mu.Lock()
			defer e.mu.Unlock()
			e.near = false
			return
		case <-ctx.Done():
			return
		}
	}
}

func (e *echo) isStraggling() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.near && e.bytes > e.limit/2
}

// echo makes a message that was written what it is when it is read, with an event of its own. Only
// Written stays unknown.
func (m *Message) echo() {
	m.bare = false
	if m.Stored {
		m.Bytes = 0
	}
	if m.Event != nil {
		m.Event = m.Event.Rendered(m.Bytes > 0)
	}
}

// signal puts a token into a channel that has room for one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
