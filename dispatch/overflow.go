package dispatch

import (
	"context"
	"log/slog"
	"time"

	"github.com/hooktail/hooktail/internal/retry"
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
	var lost time.Duration // duration of outages at the last check
	gone := false
	retry.Always(ctx, lookEvery, func() {
		d.overflow(heldAfter)
		before, was := lost, gone
		lost = d.network.lost(time.Now())
		if gone = lost > before; was && !gone {
			d.retryAll()
		}
	})
}

// retryAll is called when the own network is back. It retries all waiting deliveries of
// lanes that lacked contact, unless the receiver has requested a pause. The back-off of what
// a receiver has refused all along has nothing to do with the network.
func (d relief) retryAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.lanes {
		l.visit(func(time.Time) {
			if l.cut {
				l.cut = false
				l.health.revive()
				l.window.hasten()
			}
		})
	}
}

// relieve is called while Enqueue waits for room: it stores deliveries of lanes that
// delay others, the silent ones and the slowest.
func (d relief) relieve() {
	d.unblock()
	d.overflow(slowAfter)
}

// vital is what relief knows of a lane at one time.
type vital struct {
	silent   time.Time     // since then no attempt has ended while some are in progress; zero: none are
	lag      time.Duration // time that the oldest delivery that is only in memory has waited
	fed      time.Time     // see pulse
	answered time.Time     // see pulse
	took     time.Duration // see pulse
}

func (l *lane) vital(now time.Time) vital {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := vital{fed: l.pulse.fed, answered: l.pulse.answered, took: l.pulse.took}
	if l.running > 0 {
		v.silent = latest(l.pulse.began, l.pulse.ended)
	}
	if oldest := l.window.oldest(false); oldest != nil {
		v.lag = now.Sub(oldest.added)
	}
	return v
}

// hasOther needs mu. It reports whether is holds for another lane. There may be ten thousand
// lanes, and this runs often while the memory is full: it allocates nothing.
func (d relief) hasOther(than *lane, now time.Time, is func(vital) bool) bool {
	for _, l := range d.lanes {
		if l != than && is(l.vital(now)) {
			return true
		}
	}
	return false
}

// unblock stores the deliveries of lanes whose hooks are silent while another one has
// answered. If none has, the cause may be the machine or the network.
func (d relief) unblock() {
	if d.store == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	for _, l := range d.lanes {
		v := l.vital(now)
		silent := now.Sub(v.silent)
		if v.silent.IsZero() || silent < silence || v.lag <= 0 {
			continue
		}
		if d.hasOther(l, now, func(o vital) bool { return o.answered.After(v.silent) && o.took < silent/slowBy }) {
			l.overflow(v.lag)
		}
	}
}

// overflow stores the slowest lane's deliveries, if its oldest one has waited for
// slotPatience, or that long while another lane, which has got events since, is faster.
func (d relief) overflow(after time.Duration) {
	if d.store == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	var slow *lane
	var most time.Duration
	for _, l := range d.lanes {
		if lag := l.vital(now).lag; lag > most {
			slow, most = l, lag
		}
	}
	if most > slotPatience || most > after && d.hasOther(slow, now, func(o vital) bool { return now.Sub(o.fed) <= most && o.lag*slowBy < most }) {
		slow.overflow(most)
	}
}

// overflow stores the lane's deliveries, including new ones, until the hook has caught
// up.
func (l *lane) overflow(lag time.Duration) {
	l.visit(func(now time.Time) {
		level := slog.LevelWarn
		if now.Sub(l.pulse.warned) < warnEvery {
			level = slog.LevelDebug
		} else {
			l.pulse.warned = now
		}
		l.o.Log.Log(context.Background(), level, "Receiver is too slow: deliveries are parked until it catches up",
			"hook", l.hook, "behind", lag, "deliveries", l.window.agenda.schedule.size)
		l.write(l.window.rewind(theEnd()))
	})
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

func (p *pulse) beat(e *ending) {
	p.ended = e.at
	if e.Status != 0 {
		p.answered, p.took = e.at, e.Took
	}
}
