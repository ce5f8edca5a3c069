package dispatch

import (
	"context"
	"log/slog"
	"time"
)

// A lane is slow if its oldest delivery waits for very much longer than those of
// another lane that has got events since: then the store takes what it holds, and
// the others and the slot move on. Hooks that are equally fast share what room there
// is, and one alone has all of it, so that a busy machine is not taken for a slow
// hook, and nothing is written; but the slot waits for none of them for longer
// than slotPatience.
const (
	slowBy    = 4                // times as long as another lane's
	slowAfter = 2 * time.Second  // while others wait for room
	heldAfter = 10 * time.Second // while nothing but the slot waits

	slotPatience = time.Minute
	lookEvery    = time.Second
)

// silence is how long a hook may go without ending a single request while others wait
// for room and get answers: long before the requests run into their timeout it shows
// that it hangs.
const silence = 200 * time.Millisecond

// warnEvery is how often the log says of a hook that it is too slow.
const warnEvery = time.Minute

// look lets the store have what holds the slot back, and everything be tried when the
// own network is back, until ctx ends.
func (d *Dispatcher) look(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var lost time.Duration // for how long the network was gone at the last look
	gone := false
	for {
		select {
		case <-tick.C:
			d.overflow(heldAfter)
			before, was := lost, gone
			lost = d.network.lost(time.Now())
			if gone = lost > before; was && !gone {
				d.retryAll()
			}
		case <-ctx.Done():
			return
		}
	}
}

// relieve is called while Enqueue waits for room: it lets the store have what lanes
// hold that keep others waiting, the silent ones and the slowest.
func (d *Dispatcher) relieve() {
	d.unblock()
	d.overflow(slowAfter)
}

// unblock stores what the lanes hold whose hooks are silent while another is not.
func (d *Dispatcher) unblock() {
	if d.store == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for _, l := range d.lanes {
		since := (desk{l}).silent()
		if since.IsZero() || now.Sub(since) < silence {
			continue
		}
		if lag, _ := (desk{l}).lag(now); lag > 0 && d.isAnswered(l, since, now.Sub(since)/slowBy) {
			(desk{l}).overflow(lag)
		}
	}
}

// isAnswered needs mu. It reports whether another lane has got an answer since then,
// within less than that time. If none has, it may be the machine or the network.
func (d *Dispatcher) isAnswered(silent *lane, since time.Time, within time.Duration) bool {
	for _, l := range d.lanes {
		l.mu.Lock()
		answered, took := l.pulse.answered, l.pulse.took
		l.mu.Unlock()
		if l != silent && answered.After(since) && took < within {
			return true
		}
	}
	return false
}

// silent is since when no attempt has ended while some are under way; zero: none are.
func (l desk) silent() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.running == 0:
		return time.Time{}
	case l.pulse.began.After(l.pulse.ended):
		return l.pulse.began
	default:
		return l.pulse.ended
	}
}

// overflow stores what the slowest lane holds, if its oldest delivery has waited
// for that long and the lane is slower than another, or for slotPatience.
func (d *Dispatcher) overflow(after time.Duration) {
	if d.store == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	var slowest *lane
	var most time.Duration
	for _, l := range d.lanes {
		if lag, _ := (desk{l}).lag(now); lag > most {
			slowest, most = l, lag
		}
	}
	if most > slotPatience || most > after && d.isFaster(slowest, most, now) {
		(desk{slowest}).overflow(most)
	}
}

// isFaster needs mu. It reports whether another lane is, of those that have got events
// since the oldest delivery of the slow one.
func (d *Dispatcher) isFaster(slow *lane, most time.Duration, now time.Time) bool {
	for _, l := range d.lanes {
		lag, fed := (desk{l}).lag(now)
		if l != slow && now.Sub(fed) <= most && lag*slowBy < most {
			return true
		}
	}
	return false
}

// lag is for how long the oldest delivery waits that is held in memory alone, and
// when the lane got its latest.
func (l desk) lag(now time.Time) (lag time.Duration, fed time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if it := l.window.oldest(false); it != nil {
		lag = now.Sub(it.added)
	}
	return lag, l.pulse.fed
}

// overflow stores all that the lane holds, and what comes, until the hook has
// caught up.
func (l desk) overflow(lag time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, level := time.Now(), slog.LevelWarn
	if now.Sub(l.pulse.warned) < warnEvery {
		level = slog.LevelDebug
	} else {
		l.pulse.warned = now
	}
	queued, _, _ := l.window.figures()
	l.log.Log(context.Background(), level, "Webhook is slower than what it is to get: its deliveries are parked until it has caught up",
		"hook", l.hook, "behind", lag, "deliveries", queued)
	l.write(l.window.rewind(theEnd()))
	l.fill(now)
}

// pulse is when a lane did what. The lane's mu guards it.
type pulse struct {
	fed      time.Time     // when the latest delivery came
	began    time.Time     // when the first of the attempts began that are under way
	ended    time.Time     // when the last attempt ended
	answered time.Time     // when the last attempt ended that got an answer
	took     time.Duration // duration of that attempt
	warned   time.Time     // when the log said that the hook is slow
	scout    time.Time     // before this the store is not asked for heads again
}

// beat notes the end of an attempt.
func (p *pulse) beat(e *ending) {
	p.ended = e.at
	if e.Status != 0 {
		p.answered, p.took = e.at, e.Took
	}
}
