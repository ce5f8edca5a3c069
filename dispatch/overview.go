package dispatch

import (
	"time"

	"github.com/hooktail/hooktail/dispatch/hook"
)

// Overview is the state of one hook for operators.
type Overview struct {
	Hook  *hook.Hook
	State State

	Queued   int // deliveries in memory, including those in flight
	InFlight int
	Retrying int  // queued ones that wait for another attempt
	Draining bool // parked deliveries are being sent; new ones are queued behind them

	Parked, Dead int   // rows in the Store
	Bytes        int64 // space of the parked ones, as counted by the bound
	Oldest       time.Time
	Next         time.Time // nothing is sent before this time; zero: no pause

	Counts    Counts
	P50, P99  time.Duration // from commit to delivery, over the last 5 to 10 minutes
	Samples   uint64        // their number; 0: there are no quantiles
	Delivered time.Time     // time of the last delivery; zero: none
	Failure   *Entry        // last failed attempt, or death without one; nil: none
}

// Counts counts deliveries by outcome since the Dispatcher was created. Retried counts
// each postponement.
type Counts struct{ Delivered, Retried, Parked, Dead uint64 }

// Overview returns the state of all hooks in order of id.
func (d *Dispatcher) Overview() []Overview {
	now := time.Now()
	hooks := d.o.Hooks.All()
	out := make([]Overview, len(hooks))
	for i, hook := range hooks {
		out[i] = Overview{Hook: hook, State: StateOf(hook)}
		d.mu.Lock()
		l := d.lanes[hook.ID]
		d.mu.Unlock()
		if l != nil {
			l.overview(&out[i], now)
		}
	}
	return out
}

func (l *lane) overview(o *Overview, now time.Time) {
	j := &l.journal
	o.Counts = Counts{
		Delivered: j.counts[delivered].Load(), Retried: j.counts[retried].Load(),
		Parked: j.counts[parked].Load(), Dead: j.counts[dead].Load(),
	}
	o.P50, o.P99, o.Samples = j.latency.quantiles(now)
	if at := j.delivered.Load(); at != 0 {
		o.Delivered = time.Unix(0, at)
	}
	o.Failure = j.failure.Load()
	l.mu.Lock()
	defer l.mu.Unlock()
	a := &l.window.agenda
	o.Queued, o.InFlight, o.Retrying = a.schedule.size, l.running, len(a.waiting)
	o.Parked, o.Dead, o.Bytes = l.backlog.parked, l.backlog.dead, l.backlog.room()
	o.Draining = l.window.tail.open && !l.gate.paused && !l.health.failing
	if oldest := l.window.oldest(true); oldest != nil {
		o.Oldest = oldest.committed
	}
	switch {
	case now.Before(l.gate.hold.until):
		o.Next = l.gate.hold.until
	case l.health.failing:
		o.Next = l.health.nextTried(now)
	}
	o.State = l.gate.state(now, l.backlog.suspended, l.health.failing)
}

// String returns the state in a word. It is stable.
func (s State) String() string {
	words := [...]string{"inactive", "live", "failing", "waiting", "stopped", "refused", "paused", "suspended"}
	if s < 0 || int(s) >= len(words) {
		return "unknown"
	}
	return words[s]
}
