package dispatch

import (
	"context"
	"log/slog"
	"time"
)

// A lane is slow if its oldest delivery waits much longer than those of another lane that
// has got events since. Then the store takes the slow lane's deliveries, and the others
// and the slot proceed. Equally fast hooks share the room, and a single hook has all of
// it, so that a busy machine does not look like a slow hook, and nothing is written. But
// the slot waits no longer than slotPatience for any of them.
const (
	slowBy    = 4                // times as long as another lane's
	slowAfter = 2 * time.Second  // while others wait for room
	heldAfter = 10 * time.Second // while only the slot waits

	slotPatience = time.Minute
	lookEvery    = time.Second
)

// silence is how long a hook may go without ending a request while others wait for room
// and get answers. It shows long before the timeout that the hook hangs.
const silence = 200 * time.Millisecond

// warnEvery is the pause between log lines about a slow hook.
const warnEvery = time.Minute

// relief is the part of a Dispatcher that sees to it that no lane holds the others or the
// slot up.
type relief struct{ *Dispatcher }

// look stores deliveries that hold back the slot, and retries what could not be sent in an
// outage of our own network, until ctx ends.
func (d relief) look(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var lost time.Duration // duration of outages at the last check
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

// retryAll is called when the own network is back.
func (d relief) retryAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.lanes {
		desk{l}.reconnect()
	}
}

// relieve is called while Enqueue waits for room: it stores deliveries of lanes that
// delay others, the silent ones and the slowest.
func (d relief) relieve() {
	d.unblock()
	d.overflow(slowAfter)
}

// unblock stores the deliveries of lanes whose hooks are silent while others are not.
func (d relief) unblock() {
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

// isAnswered needs mu. It reports whether another lane has got an answer since that time,
// within that duration. If none has, the cause may be the machine or the network.
func (d relief) isAnswered(silent *lane, since time.Time, within time.Duration) bool {
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

// silent returns since when no attempt has ended while some are in progress; zero: none
// are.
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

// overflow stores the slowest lane's deliveries, if its oldest one has waited that long
// and the lane is slower than another, or for slotPatience.
func (d relief) overflow(after time.Duration) {
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

// isFaster needs mu. It reports whether another lane, which has got events since the
// oldest delivery of the slow one, is faster.
func (d relief) isFaster(slow *lane, most time.Duration, now time.Time) bool {
	for _, l := range d.lanes {
		lag, fed := (desk{l}).lag(now)
		if l != slow && now.Sub(fed) <= most && lag*slowBy < most {
			return true
		}
	}
	return false
}

// lag returns how long the oldest delivery that is only in memory has waited, and when
// the lane got its latest.
func (l desk) lag(now time.Time) (lag time.Duration, fed time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d := l.window.oldest(false); d != nil {
		lag = now.Sub(d.added)
	}
	return lag, l.pulse.fed
}

// overflow stores the lane's deliveries, including new ones, until the hook has caught
// up.
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
	l.log.Log(context.Background(), level, "Receiver is too slow: deliveries are parked until it catches up",
		"hook", l.hook, "behind", lag, "deliveries", queued)
	l.write(l.window.rewind(theEnd()))
	l.fill(now)
}

// pulse holds the times of a lane's events. The lane's mu guards it.
type pulse struct {
	fed      time.Time     // arrival of the latest delivery
	began    time.Time     // beginning of the first of the attempts in progress
	ended    time.Time     // end of the last attempt
	answered time.Time     // end of the last attempt with an answer
	took     time.Duration // duration of the last answered attempt
	warned   time.Time     // last log line about the slow hook
	scout    time.Time     // the store is not asked for heads before this time,
	rested   time.Time     // nor before this time while the hook is failing
}

// beat records the end of an attempt.
func (p *pulse) beat(e *ending) {
	p.ended = e.at
	if e.Status != 0 {
		p.answered, p.took = e.at, e.Took
	}
}
