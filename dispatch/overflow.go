package dispatch

import "time"

// When a lane is taken to be slower than the stream: its oldest delivery waits
// for that long, and that many times as long as another lane's that gets events
// as well. Hooks that are equally fast share what room there is, and one alone
// has all of it: then the slot waits for them, and nothing is written.
const (
	slowAfter  = 2 * time.Second
	slowBy     = 4
	busyWithin = 5 * time.Second // a lane that has got something since is one that gets events
)

// relieve is called while Enqueue waits for room: it lets the store have what the
// slowest lane holds, if that keeps others waiting.
func (d *Dispatcher) relieve() {
	if d.writer == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	var slowest *lane
	var most, least time.Duration = 0, -1
	for _, l := range d.lanes {
		lag, busy := l.lag(now)
		if !busy {
			continue
		}
		if lag > most {
			slowest, most = l, lag
		}
		if least < 0 || lag < least {
			least = lag
		}
	}
	if slowest != nil && most > slowAfter && least*slowBy < most {
		slowest.overflow(most)
	}
}

// lag is for how long the oldest delivery waits that is held in memory alone, and
// whether the lane has anything to do.
func (l *lane) lag(now time.Time) (lag time.Duration, busy bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for it := range l.schedule.all() {
		if !it.stored {
			return now.Sub(it.added), true
		}
	}
	return 0, now.Sub(l.fed) < busyWithin
}

// overflow stores all that the lane holds, and what comes, until the hook has
// caught up.
func (l *lane) overflow(lag time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.log.Warn("Webhook is slower than what it is to get: its deliveries are parked until it has caught up",
		"hook", l.hook, "behind", lag, "deliveries", l.schedule.size)
	l.beginTail()
	l.fill(time.Now())
}
