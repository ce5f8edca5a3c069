package dispatch

import (
	"log/slog"
	"sync/atomic"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/mapping"
)

// journal publishes what happens to a lane's deliveries: in the log, in the metrics and
// for people. It is safe for concurrent use.
type journal struct {
	hook     int64
	log      *slog.Logger
	metrics  *hookMetrics
	recorder *recorder
	failures failures

	// What people see of the lane, in constant space.
	counts    [outcomes]atomic.Uint64
	latency   latency               // from commit to delivery
	delivered atomic.Int64          // time of the last delivery, in ns; 0: never
	failure   atomic.Pointer[Entry] // last failed attempt, or death without one; nil: none
}

// tally counts the outcome of a delivery, for people and for Prometheus.
func (j *journal) tally(action mapping.Action, o outcome) {
	j.counts[o].Add(1)
	j.metrics.count(action, o)
}

// addEntry records an attempt, or a death without one.
func (j *journal) addEntry(hook *hook.Hook, d *delivery, end *ending, body mapping.Body) {
	now := end.at
	e := Entry{
		At: now, Of: hook, Hook: j.hook, Action: d.Action, Event: d.event, Committed: d.committed, Project: d.project, Task: d.task,
		Attempt: d.attempt, Status: end.Status, Took: end.Took, Bytes: body.Len(), Reason: end.reason, Annotation: annotationOf(body),
		Err: end.Err, Redirect: end.Redirect,
	}
	if end.made {
		e.Result = end.Result.String()
	}
	switch end.step {
	case deliver:
		e.Outcome, e.Latency = outcomeLabels[delivered], d.sinceCommit(now)
		j.latency.observe(e.Latency, now)
		j.delivered.Store(now.UnixNano())
	case postpone:
		e.Outcome, e.Next = outcomeLabels[retried], now.Add(end.delay)
	default:
		e.Outcome = outcomeLabels[dead]
	}
	j.recorder.add(&e, body, end.Answer, end.made)
	if end.step != deliver {
		failure := e // e itself does not escape
		j.failure.Store(&failure)
	}
}

func (j *journal) tell(d *delivery, e *ending) {
	switch e.step {
	case postpone:
		if e.made {
			j.tally(d.Action, retried)
		}
	case deliver:
		j.tally(d.Action, delivered)
	case bury:
		j.tally(d.Action, dead)
		if !e.made {
			j.reportUnsent(d, e.reason)
			j.addEntry(nil, d, e, mapping.Body{})
		}
	}
}
