package dispatch

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hooktail/hooktail/dispatch/hook"
)

// common is shared by all lanes of a Dispatcher.
type common struct {
	o       Options
	store   *writer   // nil: everything is held in memory
	began   time.Time // when the Dispatcher was created
	network network
	recorder
	windows windows
	slots   slots

	start    func(work func(context.Context))       // starts a goroutine that Close waits for
	finished func(done func(), shared *sharedEvent) // called once per delivery, without the lane's mu
	retire   func(hook int64)                       // removes the lane of a deleted hook; called without its mu
}

// lane is one hook's deliveries, and the goroutines that attempt them. It is safe
// for concurrent use.
type lane struct {
	*common
	hook    int64
	journal journal
	claim   claim // its share of the slots

	mu      sync.Mutex // guards all fields below
	gate    gate
	window  window
	backlog backlog
	health  health
	pulse   pulse
	alarm   alarm
	running int  // attempts in progress
	cut     bool // an attempt has failed without contact since the last reconnect
	dropped int  // deliveries dropped because the hook is deleted or inactive
	leaving bool // a failed delivery is stored immediately: the process is ending
	closed  bool // nothing starts or is written
}

func (c *common) newLane(id int64) *lane {
	metrics := c.o.Metrics.of(id)
	l := &lane{
		common: c, hook: id, health: health{most: c.o.Concurrency, limit: c.o.Concurrency, impolite: c.o.Retry.MaxAttempts == 1},
		journal: journal{hook: id, log: c.o.Log, metrics: metrics, recorder: &c.recorder, failures: failures{hook: id, log: c.o.Log}},
		window:  newWindow(&c.windows, c.store != nil, func(n int) time.Duration { return c.o.Retry.backoff(n, rand.Float64()) }),
		backlog: backlog{metrics: metrics, max: c.o.MaxParked},
	}
	l.gate.tell(c.row(id), time.Now())
	l.alarm.ring = l.ring
	l.claim.lane = l
	return l
}

// row returns the hook's row, nil if there is none.
func (c *common) row(id int64) *hook.Hook {
	row, _ := c.o.Hooks.Hook(id)
	return row
}

// add appends a delivery, unless the hook is suspended.
func (l *lane) add(d *delivery) {
	now := d.added
	l.mu.Lock()
	l.pulse.fed = now
	if !l.suspends(d) {
		l.write(l.window.accept(d, l.health.failing || l.gate.isShut(now)))
		l.fill(now)
		l.mu.Unlock()
		return
	}
	known := l.backlog.confirmed
	if !known {
		l.backlog.missed = append(l.backlog.missed, d)
	}
	l.mu.Unlock()
	l.journal.tally(d.Action, dead)
	l.journal.reportUnsent(d, ReasonSuspended)
	if known {
		l.finished(d.done, d.shared)
	}
}

// visit calls f with mu held, publishes the lane's state, and starts what may go now.
func (l *lane) visit(f func(now time.Time)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	f(now)
	l.show(now)
	l.fill(now)
}

// changed must be called after the hook's row has changed. If the change affects what is
// sent, everything is retried immediately; deliveries of an inactive hook are stored, and
// those of a deleted one dropped.
func (l *lane) changed() {
	l.visit(func(now time.Time) {
		before := l.gate.row
		l.gate.tell(l.row(l.hook), now)
		if before == nil || l.gate.row == nil || l.gate.row.Revision() != before.Revision() {
			l.revive()
		}
		if l.gate.isOff() && l.store != nil {
			l.write(l.window.keep(true))
		}
	})
}

// revive needs mu. It makes the hook live, and all waiting deliveries ready.
func (l *lane) revive() {
	l.held(time.Time{}, time.Now())
	l.health.revive()
	l.window.hasten()
}

// show needs mu. It publishes the lane's state.
func (l *lane) show(now time.Time) {
	l.journal.metrics.enter(l.gate.state(now, l.backlog.suspended, l.health.failing))
}

func (l *lane) close() {
	l.journal.failures.close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.alarm.stop()
}

func (l *lane) isEmpty() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.window.isEmpty()
}

// fill needs mu. It starts a goroutine for each delivery that may go, and one that reads
// more if there is room.
func (l *lane) fill(now time.Time) {
	for {
		d := l.pick(now)
		if d == nil {
			break
		}
		l.start(func(ctx context.Context) { l.work(ctx, d) })
	}
	if l.closed {
		return
	}
	shut := l.gate.paused || l.gate.isOff()
	n := need{
		now: now, away: shut || l.health.failing, failing: l.health.failing, heads: l.pulse.scout,
		busy: shut || l.running >= l.health.limit || now.Before(l.gate.hold.until),
	}
	if n.failing {
		n.heads = latest(latest(n.heads, l.pulse.rested), l.health.nextUntried(now))
	}
	q, at := l.window.wants(n)
	switch {
	case q != nil:
		l.read(q)
	case !at.IsZero():
		l.alarm.set(at)
	}
}

// pick needs mu. It returns the delivery to attempt now, nil if there is none.
func (l *lane) pick(now time.Time) *delivery {
	if l.closed || l.gate.halted || !l.o.Permit() || !l.window.hasSome() || l.running >= l.health.limit || (turn{l, now}).isPaced() {
		return nil
	}
	l.slots.turn(&l.claim, l.window.drains())
	if !l.slots.acquire(&l.claim) {
		return nil // the lane is woken later
	}
	d := turn{l, now}.choose()
	if d == nil {
		l.slots.give(&l.claim, untested)
		return nil
	}
	if l.running == 0 {
		l.pulse.began = now
	}
	l.running++
	d.attempt++
	if d.fate == ReasonNone {
		l.gate.pace.spend(now)
	}
	return d
}

// age needs mu. It returns for how long the delivery has been tried, without outages of our
// own network, and since a person has resumed the hook.
func (l *lane) age(d *delivery, now time.Time) time.Duration {
	age := now.Sub(d.added) - (l.network.lost(now) - d.excused)
	if resumed := l.gate.resumed; !resumed.IsZero() {
		age = min(age, now.Sub(resumed))
	}
	return age
}

// left needs mu. It returns the rest of the delivery's time, which does not end within an
// hour of the start: nothing was tried while hooktail did not run.
func (l *lane) left(d *delivery, now time.Time) time.Duration {
	spell := min(time.Hour, l.o.Retry.RetryFor/4)
	return max(l.o.Retry.RetryFor-l.age(d, now), spell-now.Sub(l.began))
}

// granted is called when the lane may have a slot.
func (l *lane) granted() {
	l.visit(func(time.Time) {})
	l.slots.decline(&l.claim)
}

// ring is called by the alarm.
func (l *lane) ring() { l.visit(func(time.Time) { l.alarm.at = time.Time{} }) }
