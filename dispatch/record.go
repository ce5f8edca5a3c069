package dispatch

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hooktail/hooktail/dispatch/hook"
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

// journal is what becomes known of a lane's deliveries: in the log, in the metrics and
// to people. It is safe for concurrent use.
type journal struct {
	hook     int64
	log      *slog.Logger
	metrics  *hookMetrics
	recorder *recorder
	failures failures
	record   record
}

// tally counts what has become of a delivery, for people and for Prometheus.
func (j *journal) tally(action mapping.Action, o outcome) {
	j.record.counts[o].Add(1)
	j.metrics.count(action, o)
}

// note keeps an attempt, or, if none was made, a burial.
func (j *journal) note(hook *hook.Hook, it *item, end *ending, body mapping.Body) {
	now := end.at
	e := Entry{
		At: now, hook: hook, Hook: j.hook, Action: it.Action, Event: it.event, Committed: it.committed, Project: it.project, Task: it.task,
		Attempt: it.attempt, Status: end.Status, Took: end.Took, Bytes: body.Len(), Reason: end.reason, Annotation: annotationOf(body),
	}
	e.Err, e.Redirect = end.Err, end.Redirect
	if end.made {
		e.Result = end.Result.String()
	}
	switch end.step {
	case deliver:
		e.Outcome, e.Latency = outcomeLabels[delivered], it.sinceCommit(now)
		j.record.latency.observe(e.Latency, now)
		j.record.delivered.Store(now.UnixNano())
	case postpone:
		e.Outcome, e.Next = outcomeLabels[retried], now.Add(end.delay)
	default:
		e.Outcome = outcomeLabels[dead]
	}
	if end.step != deliver {
		j.record.failed(&e)
	}
	j.recorder.add(&e, body, end.Answer, end.made)
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

// tell counts what has become of the delivery.
func (j *journal) tell(it *item, e *ending) {
	switch e.step {
	case postpone:
		if e.made {
			j.tally(it.Action, retried)
		}
	case deliver:
		j.tally(it.Action, delivered)
	case bury:
		j.tally(it.Action, dead)
		if !e.made {
			j.reportUnsent(it, e.reason)
			j.note(nil, it, e, mapping.Body{})
		}
	}
}
