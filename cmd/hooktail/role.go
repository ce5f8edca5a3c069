package main

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/display"
)

// role is what this instance is at the moment, of several on one slot: the leader,
// which reads and sends, or a standby. Probes and metrics ask it. It is safe for
// concurrent use.
type role struct {
	mu     sync.Mutex
	stream *cdc.Stream // of the term; nil: this instance does not lead
	beat   *heartbeat  // of the term
	fault  error       // why it neither leads nor stands by
	looked time.Time   // when a standby last saw that another one has the lock
	before int         // reconnects of earlier terms
}

// standbyLimit is how long ago a healthy standby has looked at the lock.
const standbyLimit = 10 * lockEvery

// newRole is that of an instance that has not tried to lead yet.
func newRole(registry prometheus.Registerer) *role {
	r := &role{fault: errors.New("starting: the lock was not asked for yet")}
	registerRole(registry, r)
	return r
}

// standsBy says that another instance has the lock, just now.
func (r *role) standsBy() { r.set(func() { r.looked, r.fault = time.Now(), nil }) }

// cannot says why the lock cannot be asked for.
func (r *role) cannot(err error) {
	r.set(func() { r.fault = fmt.Errorf("waiting for the database: %w", err) })
}

// takesOver says that this instance has the lock and a term begins.
func (r *role) takesOver() {
	r.set(func() { r.fault = errors.New("starting: the hooks are being read") })
}

// leads says that the term has this stream.
func (r *role) leads(stream *cdc.Stream, beat *heartbeat) {
	r.set(func() { r.stream, r.beat, r.fault = stream, beat, nil })
}

// rests says that the term is over.
func (r *role) rests() {
	r.set(func() {
		r.before += reconnects(r.stream)
		r.stream, r.beat, r.fault = nil, nil, errors.New("not leading any more")
	})
}

func (r *role) set(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// current is the stream of the term and its heartbeat, nil where there is none.
func (r *role) current() (*cdc.Stream, *heartbeat) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stream, r.beat
}

// stats are those of the stream of the term.
func (r *role) stats() cdc.Stats {
	if stream, _ := r.current(); stream != nil {
		return stream.Stats()
	}
	return cdc.Stats{}
}

func (r *role) reconnects() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.before + reconnects(r.stream)
}

func reconnects(stream *cdc.Stream) int {
	if stream == nil {
		return 0
	}
	return max(0, stream.Stats().Connections-1)
}

// ready says why the instance is not ready: the stream flows, or it is a standby
// that can take over.
func (r *role) ready() error {
	r.mu.Lock()
	stream, beat, fault, looked := r.stream, r.beat, r.fault, r.looked
	r.mu.Unlock()
	switch {
	case fault != nil:
		return fault
	case stream != nil:
		return beat.ready(stream)
	}
	if age := time.Since(looked); age > standbyLimit {
		return fmt.Errorf("standby: who leads was last seen %s ago", display.Span(age))
	}
	return nil
}
