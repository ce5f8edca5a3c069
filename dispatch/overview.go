package dispatch

import (
	"time"

	"github.com/hooktail/hooktail/dispatch/hook"
)

// Overview is what operators see of one hook.
type Overview struct {
	Hook  *hook.Hook
	State State

	Queued   int // deliveries in memory, those in flight included
	InFlight int
	Retrying int  // of those queued, the ones that wait for another attempt
	Draining bool // it gets what is parked for it; what is new goes behind that

	Parked, Dead int   // rows of the Store
	Bytes        int64 // that the parked ones take, as the bound counts them
	Oldest       time.Time
	Next         time.Time // before which nothing is sent; zero: nothing is held back

	Counts    Counts
	P50, P99  time.Duration // from commit to delivery, of the last 5 to 10 minutes
	Samples   uint64        // of how many; 0: there are no quantiles
	Delivered time.Time     // when the last delivery was made; zero: none
	Failure   Failure       // the last
}

// Counts is deliveries by what became of them, since the Dispatcher was made.
// Retried counts each time one was put off.
type Counts struct{ Delivered, Retried, Parked, Dead uint64 }

// Overview is all hooks in order of id, as they are now.
func (d *Dispatcher) Overview() []Overview {
	now := time.Now()
	hooks := d.o.Hooks.All()
	out := make([]Overview, len(hooks))
	for i, hook := range hooks {
		out[i] = Overview{Hook: hook, State: stateOf(hook)}
		d.mu.Lock()
		l := d.lanes[hook.ID]
		d.mu.Unlock()
		if l != nil {
			desk{l}.overview(&out[i], now)
		}
	}
	return out
}

func (l desk) overview(o *Overview, now time.Time) {
	l.journal.record.overview(o, now)
	l.mu.Lock()
	defer l.mu.Unlock()
	queued, waiting, tail := l.window.figures()
	o.Queued, o.InFlight, o.Retrying = queued, l.running, waiting
	o.Parked, o.Dead, o.Bytes = l.backlog.parked, l.backlog.dead, l.backlog.room()
	o.Draining = tail && !l.gate.paused && !l.health.failing
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

func (r *record) overview(o *Overview, now time.Time) {
	o.Counts = Counts{
		Delivered: r.counts[delivered].Load(), Retried: r.counts[retried].Load(),
		Parked: r.counts[parked].Load(), Dead: r.counts[dead].Load(),
	}
	o.P50, o.P99, o.Samples = r.latency.quantiles(now)
	if at := r.delivered.Load(); at != 0 {
		o.Delivered = time.Unix(0, at)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	o.Failure = r.failure
}

// String is the state in a word. It is stable.
func (s State) String() string {
	words := [...]string{"inactive", "live", "failing", "waiting", "stopped", "refused", "paused", "suspended"}
	if s < 0 || int(s) >= len(words) {
		return "unknown"
	}
	return words[s]
}
