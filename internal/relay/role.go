package relay

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/internal/display"
)

// role is the present role of this instance among those that share the slot: the leader,
// which reads and sends, or a standby. Probes and metrics ask it. It is safe for
// concurrent use.
type role struct {
	questions *questions    // questions that events wait for; set before anything is served; nil: none
	dueLimit  time.Duration // how long they may wait; set with questions

	mu     sync.Mutex
	stream *cdc.Stream // of the term; nil: this instance does not lead
	beat   *heartbeat  // of the term
	memory *memory     // of the term
	fault  error       // why it is neither leader nor standby
	looked time.Time   // when a standby last saw that another session has the lock
	lapses time.Time   // when the server ends the session of a lost lock; zero: no lock was lost
	before int         // replication connections of earlier terms

	senderOnly bool         // this instance never leads; set before anything is served
	sender     func() error // why it does not send; nil: it has no sender of its own
	away       func() error // why the log cannot be reached; nil: there is none
}

// standbyLimit is the age up to which a standby's last look at the lock counts as
// healthy.
const standbyLimit = 10 * lockEvery

// dueLimit is the time that events may be due without one being delivered.
const dueLimit = 30 * time.Second

// newRole returns the role of an instance that has not requested the lock yet.
func newRole(registry prometheus.Registerer) *role {
	r := &role{fault: errors.New("starting: the lock has not been requested yet")}
	registerRole(registry, r)
	return r
}

// standsBy records that another session holds the lock now, and reports whether that is
// another instance's session. Until a lost lock has lapsed it may be this instance's own
// session, whose end the server has not noticed; then there is no leader.
func (r *role) standsBy() (other bool) {
	r.set(func() {
		r.looked, r.fault = time.Now(), nil
		if other = r.looked.After(r.lapses); !other {
			r.fault = errOwnLock
		}
	})
	return other
}

var errOwnLock = errors.New("not the leader: the server still holds the lock for the lost session")

// losesLock records that the lock's session went silent, and when the server last
// answered on it.
func (r *role) losesLock(heard time.Time) {
	r.set(func() { r.lapses = heard.Add(lockTimeout) })
}

// awaits records whom the instance waits for, and why.
func (r *role) awaits(whom string, err error) {
	r.set(func() { r.fault = fmt.Errorf("waiting for %s: %w", whom, err) })
}

// waits records why this instance does not lead for now.
func (r *role) waits(err error) {
	r.set(func() { r.fault = fmt.Errorf("not the leader, trying again: %w", err) })
}

// takesOver records that this instance has the lock and a term begins.
func (r *role) takesOver() {
	r.set(func() { r.fault = errors.New("starting: reading the hooks") })
}

// leads records the parts of the term that begins.
func (r *role) leads(stream *cdc.Stream, beat *heartbeat, memory *memory) {
	r.set(func() { r.stream, r.beat, r.memory, r.fault = stream, beat, memory, nil })
}

// rests records that the term is over.
func (r *role) rests() {
	r.set(func() {
		r.before += connections(r.stream)
		r.stream, r.beat, r.memory, r.fault = nil, nil, nil, errors.New("no longer the leader")
	})
}

func (r *role) set(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// current returns the stream of the term and its heartbeat, or nil.
func (r *role) current() (*cdc.Stream, *heartbeat) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stream, r.beat
}

// stats returns the statistics of the term's stream.
func (r *role) stats() cdc.Stats {
	if stream, _ := r.current(); stream != nil {
		return stream.Stats()
	}
	return cdc.Stats{}
}

// reconnects returns the number of replication connections after the first. A new term has
// a new stream, whose first connection is one of them.
func (r *role) reconnects() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(0, r.before+connections(r.stream)-1)
}

func connections(stream *cdc.Stream) int {
	if stream == nil {
		return 0
	}
	return stream.Stats().Connections
}

// ready returns the reason why the instance is not ready. It returns nil if the stream
// flows, or if the instance is a standby that can take over.
func (r *role) ready() error {
	err := r.working()
	if away := r.logFault(); away != nil && !errors.Is(err, errNATSAway) {
		err = errors.Join(away, err)
	}
	if err == nil {
		return nil
	}
	return cdc.Concise(err)
}

// working is ready without a look at the log's servers.
func (r *role) working() error {
	sender := r.sendingFault()
	switch {
	case r.senderOnly:
		return sender
	case sender == nil:
		return r.reading()
	default:
		return errors.Join(r.reading(), sender)
	}
}

// reading returns the reason why the instance neither reads the stream nor can take over.
func (r *role) reading() error {
	r.mu.Lock()
	stream, beat, memory, fault, looked := r.stream, r.beat, r.memory, r.fault, r.looked
	r.mu.Unlock()
	var late error
	if r.questions != nil {
		late = r.questions.overdue(r.dueLimit)
	}
	switch {
	case fault != nil && late != nil:
		return fmt.Errorf("%w: %w", fault, late)
	case fault != nil:
		return fault
	case stream != nil:
		err := beat.ready(stream.Stats())
		switch {
		case err != nil && late != nil:
			return fmt.Errorf("%w; %w", err, late)
		case err != nil:
			return err
		case late != nil:
			return late
		}
		return memory.overdue()
	}
	if age := time.Since(looked); age > standbyLimit {
		return fmt.Errorf("standby: the leader's lock was last seen %s ago", display.Span(age))
	}
	return nil
}
