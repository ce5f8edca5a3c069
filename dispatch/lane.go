package dispatch

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hooktail/hooktail/dispatch/hook"
)

// common is what all lanes of a Dispatcher use.
type common struct {
	hooks     *hook.Set
	sender    sender
	policy    Policy
	log       *slog.Logger
	store     *writer // nil: everything is held in memory
	maxParked int64   // bytes that a hook's rows may take; 0: no bound
	network   network
	recorder  recorder
	windows   windows

	start    func(work func(context.Context)) // starts a goroutine that Close waits for
	finished func(done func(), l *letter)     // is called once per item, outside of the lane's mu
	retire   func(hook int64)                 // lets go of the lane of a hook that is gone; outside of its mu
	permit   func() bool
}

// lane is one hook's deliveries, and the goroutines that attempt them. It is safe
// for concurrent use.
type lane struct {
	*common
	hook    int64
	journal journal

	stopped atomic.Uint64 // revision of the hook that the receiver answered with 410
	refused atomic.Bool   // the last attempt was not made

	mu      sync.Mutex // guards all that follows
	window  window
	backlog backlog
	health  health
	pulse   pulse
	alarm   alarm
	running int // attempts that are under way
	dropped int // deliveries that were dropped since the hook is gone or switched off
	hold    hold
	leaving bool       // a failed delivery is stored at once: the process is to end
	halted  bool       // nothing starts any more, for the same reason
	paused  bool       // by a person, or halted
	row     *hook.Hook // as the lane was told; nil: there is no such hook
	off     time.Time  // since when the row is known to be switched off; zero: it is not
	closed  bool       // nothing starts or is written any more
}

func (c *common) newLane(id int64, concurrency int, metrics *hookMetrics) *lane {
	l := &lane{
		common: c, hook: id, health: newHealth(concurrency, c.policy.MaxAttempts == 1),
		journal: journal{hook: id, log: c.log, metrics: metrics, recorder: &c.recorder},
		window:  newWindow(&c.windows, c.store != nil),
		backlog: backlog{metrics: metrics, max: c.maxParked},
	}
	l.tell(time.Now())
	l.journal.failures.hook, l.journal.failures.log = id, c.log
	l.alarm.ring = l.ring
	return l
}

// add appends a delivery, unless the hook is suspended.
func (l *lane) add(it *item) {
	now := time.Now()
	l.mu.Lock()
	l.pulse.fed = now
	missed := l.suspends(it)
	known := l.backlog.confirmed
	switch {
	case !missed:
		l.write(l.window.accept(it, l.isAway(now)))
		l.fill(now)
	case !known:
		l.backlog.missed = append(l.backlog.missed, it)
	}
	l.mu.Unlock()
	if !missed {
		return
	}
	l.journal.tally(it.Action, dead)
	l.journal.reportUnsent(it, ReasonSuspended)
	if known {
		l.finished(it.done, it.letter)
	}
}

// isAway reports whether the hook is to get nothing for a while, as far as known. It
// needs mu.
func (l *lane) isAway(now time.Time) bool {
	return l.health.failing || l.paused || now.Before(l.hold.until) || l.isOff()
}

// isOff reports whether the hook is switched off in its row: what it has is held. It
// needs mu.
func (l *lane) isOff() bool { return l.row != nil && !l.row.IsOn() }

// changed is to be called after the hook's row has changed. If the change decides
// sending, everything is tried at once; what a hook has that is switched off is stored,
// and what one has that is gone is dropped.
func (l *lane) changed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	before := l.row
	l.tell(now)
	if before == nil || l.row == nil || l.row.Revision() != before.Revision() {
		l.revive()
	}
	if l.isOff() && l.store != nil {
		l.write(l.window.keepAll())
	}
	l.show(now)
	l.fill(now)
}

// tell lets the lane know of its hook's row. It needs mu.
func (l *lane) tell(now time.Time) {
	l.row, _ = l.hooks.Hook(l.hook)
	switch {
	case !l.isOff():
		l.off = time.Time{}
	case l.off.IsZero():
		l.off = now
	}
}

// retry lets everything that waits go at once, whatever it waits for.
func (l *lane) retry() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped.Store(0)
	l.revive()
	now := time.Now()
	l.show(now)
	l.fill(now)
}

// revive makes the hook live, with nothing that waits. It needs mu.
func (l *lane) revive() {
	l.held(time.Time{}, time.Now())
	l.health.revive()
	l.window.hasten()
}

// show makes the lane's state known. It needs mu.
func (l *lane) show(now time.Time) { l.journal.metrics.enter(l.state(now)) }

// state is how it stands with the hook. It needs mu.
func (l *lane) state(now time.Time) State {
	hook := l.row
	switch {
	case hook == nil:
		return StateInactive
	case stateOf(hook) != StateLive:
		return stateOf(hook)
	case l.refused.Load():
		return StateRefused
	case l.backlog.suspended:
		return StateSuspended
	case l.paused:
		return StatePaused
	case l.stopped.Load() == hook.Revision():
		return StateStopped
	case now.Before(l.hold.until):
		return StateWaiting
	case l.health.failing:
		return StateFailing
	default:
		return StateLive
	}
}

// close lets nothing start any more.
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

// fill starts a goroutine for each delivery that may go, and one that reads more if
// there is room. It needs mu.
func (l *lane) fill(now time.Time) {
	for {
		it := l.pick(now)
		if it == nil {
			break
		}
		l.start(func(ctx context.Context) { l.work(ctx, it) })
	}
	if l.closed {
		return
	}
	away := l.paused || l.isOff()
	if part, ok := l.window.wants(away || l.health.failing); ok {
		l.read(func(ctx context.Context) { intake{l}.load(ctx, part) })
	}
	if away || l.running >= l.health.limit || now.Before(l.hold.until) || !l.window.scout {
		return
	}
	at := l.pulse.scout
	if l.health.failing {
		at = latest(at, l.health.nextUntried(now))
	}
	if at.After(now) {
		l.alarm.set(at)
	} else if wanted, ok := l.window.wantsHeads(l.health.failing); ok {
		l.read(func(ctx context.Context) { intake{l}.findHeads(ctx, wanted) })
	}
}

// pick returns the delivery to attempt now, and otherwise sets the alarm if time
// alone will bring one. It needs mu.
func (l *lane) pick(now time.Time) *item {
	if l.closed || l.halted || !l.permit() || l.window.schedule.oldest == nil || l.running >= l.health.limit {
		return nil
	}
	it := turn{l, now}.choose()
	if it == nil {
		return nil
	}
	if l.running == 0 {
		l.pulse.began = now
	}
	l.running++
	it.attempt++
	return it
}

// age is for how long the delivery has been tried. The time does not count for which
// the own network was gone.
func (l *lane) age(it *item, now time.Time) time.Duration {
	return now.Sub(it.added) - (l.network.lost(now) - it.excused)
}

// ring is called by the alarm.
func (l *lane) ring() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.alarm.rang()
	l.fill(time.Now())
}
