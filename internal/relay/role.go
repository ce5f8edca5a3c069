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
	late func() error // what events wait for too long; set before anything is served

	mu sync.Mutex
	present
}

// present is what a role is at one time; of a role, guarded by mu.
type present struct {
	stream *cdc.Stream // of the term; nil: this instance does not lead
	beat   *heartbeat  // of the term
	memory *memory     // of the term
	fault  error       // why it is neither leader nor standby
	looked time.Time   // when a standby last saw that another session has the lock
	lapses time.Time   // when the server ends the session of a lost lock; zero: no lock was lost
	before int         // replication connections of earlier terms

	senderOnly bool         // this instance never leads
	sender     func() error // why it does not send
	away       func() error // why the log cannot be reached
}

const (
	standbyLimit = 10 * lockEvery   // age up to which a standby's last look at the lock counts as healthy
	dueLimit     = 30 * time.Second // time that events may be due without one being delivered
)

// newRole returns the role of an instance that has not requested the lock yet, and registers
// its metrics.
func newRole(registry prometheus.Registerer) *role {
	none := func() error { return nil }
	r := &role{late: none, present: present{fault: errors.New("starting: the lock has not been requested yet"), sender: none, away: none}}
	registry.MustRegister(gauges(r.metrics), prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "hooktail_reconnects_total", Help: "Replication connections after the first.",
	}, func() float64 { return float64(r.reconnects()) }))
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

// waits records why this instance does not lead for now.
func (r *role) waits(err error) { r.fails(fmt.Errorf("not the leader, trying again: %w", err)) }

// fails records why this instance is neither leader nor standby.
func (r *role) fails(fault error) {
	r.set(func() { r.fault = fault })
}

// leads records the parts of the term that begins.
func (r *role) leads(stream *cdc.Stream, beat *heartbeat, memory *memory) {
	r.set(func() { r.stream, r.beat, r.memory, r.fault = stream, beat, memory, nil })
}

// rests records that the term is over.
func (r *role) rests() {
	r.set(func() {
		r.before += r.stats().Connections
		r.stream, r.beat, r.memory, r.fault = nil, nil, nil, errors.New("no longer the leader")
	})
}

// cannotSend records an error after which the instance tries again to send.
func (r *role) cannotSend(err error) { r.idles(fmt.Errorf("not sending, trying again: %w", err)) }

// idles records why the instance does not send for now; nil: it stands by, since other senders
// have all partitions.
func (r *role) idles(fault error) { r.sends(func() error { return fault }) }

// sends records that the instance sends; faults returns an error for stopped partitions.
func (r *role) sends(faults func() error) {
	r.set(func() { r.sender = faults })
}

func (r *role) set(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

func (r *role) now() present {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.present
}

// stats returns the statistics of the term's stream.
func (p *present) stats() cdc.Stats {
	if p.stream == nil {
		return cdc.Stats{}
	}
	return p.stream.Stats()
}

// reconnects returns the number of replication connections after the first. A new term has
// a new stream, whose first connection is one of them.
func (r *role) reconnects() int {
	now := r.now()
	return max(0, now.before+now.stats().Connections-1)
}

// ready returns the reason why the instance is not ready. It returns nil if the stream
// flows, or if the instance is a standby that can take over, and if it sends or stands by to.
func (r *role) ready() error {
	now := r.now()
	var err error
	if !now.senderOnly {
		err = r.reading(&now)
	}
	err = errors.Join(err, now.sender())
	if !errors.Is(err, errNATSAway) {
		err = errors.Join(now.away(), err)
	}
	if err == nil {
		return nil
	}
	return cdc.Concise(err)
}

// reading returns the reason why the instance neither reads the stream nor can take over.
func (r *role) reading(now *present) error {
	err, late := now.fault, r.late()
	switch {
	case err != nil && late != nil:
		return fmt.Errorf("%w: %w", err, late)
	case err != nil:
		return err
	case now.stream == nil:
		if age := time.Since(now.looked); age > standbyLimit {
			return fmt.Errorf("standby: the leader's lock was last seen %s ago", display.Span(age))
		}
		return nil
	}
	err = now.beat.ready(now.stream.Stats())
	switch {
	case err != nil && late != nil:
		return fmt.Errorf("%w; %w", err, late)
	case err != nil:
		return err
	case late != nil:
		return late
	}
	return now.memory.overdue()
}
