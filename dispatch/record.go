package dispatch

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hooktail/hooktail/mapping"
)

// record is what a lane keeps for people to look at, in a fixed space. It is safe
// for concurrent use.
type record struct {
	counts    [outcomes]atomic.Uint64
	latency   latency      // from commit to delivery
	delivered atomic.Int64 // when the last delivery was made, in ns; 0: never

	mu      sync.Mutex
	failure Failure // the last one
}

// Failure is an attempt that failed, or a delivery that died without one.
type Failure struct {
	At     time.Time // zero: there was none
	Action mapping.Action
	Event  mapping.ID
	Result string // of the attempt; "": none was made
	Status int    // 0: no answer
	Err    string // free of secrets
	Reason Reason // of death; ReasonNone: it is tried again

	Redirect string // where the answer would lead, without what may be secret; "": nowhere
}

// tally counts what has become of a delivery, for people and for Prometheus.
func (l *lane) tally(action mapping.Action, o outcome) {
	l.record.counts[o].Add(1)
	l.metrics.count(action, o)
}

// note keeps an attempt, or, if a is nil, a burial without one.
func (l *lane) note(hook *Hook, it *item, o Outcome, v verdict, body mapping.Body, a *answer) {
	now := time.Now()
	e := Entry{
		At: now, hook: hook, Hook: l.hook, Action: it.Action, Event: it.event, Project: it.project, Task: it.task,
		Attempt: it.attempt, Status: o.Status, Took: o.Took, Bytes: body.Len(), Reason: v.reason,
	}
	e.Err, e.Redirect = o.Err, o.Redirect
	if a != nil {
		e.Result = o.Result.String()
	}
	switch v.step {
	case deliver:
		e.Outcome, e.Latency = outcomeLabels[delivered], it.sinceCommit()
		l.record.latency.observe(e.Latency, now)
		l.record.delivered.Store(now.UnixNano())
	case retry:
		e.Outcome, e.Next = outcomeLabels[retried], now.Add(v.delay)
	default:
		e.Outcome = outcomeLabels[dead]
	}
	if v.step != deliver {
		l.record.failed(&e)
	}
	l.recorder.add(&e, body, a)
}

func (r *record) failed(e *Entry) {
	f := Failure{At: e.At, Action: e.Action, Event: e.Event, Result: e.Result, Status: e.Status, Redirect: e.Redirect, Reason: e.Reason}
	if e.Err != nil {
		f.Err = e.Err.Error()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failure = f
}
