package dispatch

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// common is what all lanes of a Dispatcher use.
type common struct {
	hooks     *Hooks
	sender    *Sender
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

	mu        sync.Mutex // guards all that follows
	window    window
	backlog   backlog
	health    health
	pulse     pulse
	alarm     alarm
	running   int       // attempts that are under way
	dropped   int       // deliveries that were dropped since the hook is gone or switched off
	notBefore time.Time // the receiver wants no request before this
	leaving   bool      // a failed delivery is stored at once: the process is to end
	halted    bool      // nothing starts any more, for the same reason
	paused    bool      // by a person, or halted
	closed    bool      // nothing starts or is written any more
}

func (c *common) newLane(hook int64, concurrency int, metrics *hookMetrics) *lane {
	l := &lane{
		common: c, hook: hook, health: newHealth(concurrency),
		journal: journal{hook: hook, log: c.log, metrics: metrics, recorder: &c.recorder},
		window:  newWindow(&c.windows, c.store != nil),
		backlog: backlog{metrics: metrics, max: c.maxParked},
	}
	l.journal.failures.hook, l.journal.failures.log = hook, c.log
	l.alarm.ring = l.ring
	return l
}

// add appends a delivery, unless the hook is suspended.
func (l *lane) add(it *item) {
	now := time.Now()
	l.mu.Lock()
	l.pulse.fed = now
	accepted := !l.backlog.suspended && !l.suspend(it)
	if accepted {
		l.write(l.window.accept(it, l.isAway(now)))
		l.fill(now)
	}
	l.mu.Unlock()
	if !accepted {
		l.journal.tally(it.Action, dead)
		l.journal.reportUnsent(it, ReasonSuspended)
		l.finished(it.done, it.letter)
	}
}

// isAway reports whether the hook is to get nothing for a while, as far as known. It
// needs mu.
func (l *lane) isAway(now time.Time) bool {
	return l.health.failing || l.paused || now.Before(l.notBefore)
}

// changed is to be called after the hook's row has changed: it is tried at once,
// or its deliveries are dropped.
func (l *lane) changed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notBefore = time.Time{}
	l.health = newHealth(l.health.most)
	l.window.releaseAll()
	now := time.Now()
	l.show(now)
	l.fill(now)
}

// show makes the lane's state known. It needs mu.
func (l *lane) show(now time.Time) { l.journal.metrics.enter(l.state(now)) }

// state is how it stands with the hook. It needs mu.
func (l *lane) state(now time.Time) State {
	hook, ok := l.hooks.Hook(l.hook)
	switch {
	case !ok:
		return StateInactive
	case hook.state() != StateLive:
		return hook.state()
	case l.refused.Load():
		return StateRefused
	case l.backlog.suspended:
		return StateSuspended
	case l.paused:
		return StatePaused
	case l.stopped.Load() == hook.revision:
		return StateStopped
	case now.Before(l.notBefore):
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
	if part, ok := l.window.wants(l.health.failing || l.paused); ok {
		l.read(part)
	}
}

// pick returns the delivery to attempt now, and otherwise sets the alarm if time
// alone will bring one. It needs mu.
func (l *lane) pick(now time.Time) *item {
	if l.closed || !l.permit() || l.window.schedule.oldest == nil || l.paused && (l.halted || l.isWanted()) {
		return nil
	}
	if now.Before(l.notBefore) && l.isWanted() {
		l.alarm.set(l.notBefore)
		return nil
	}
	l.window.release(now)
	if l.running >= l.health.limit {
		return nil
	}
	it := l.window.next(l.health.failing)
	if it == nil {
		if len(l.window.waiting) > 0 {
			l.alarm.set(l.window.waiting[0].at)
		}
		return nil
	}
	if l.running == 0 {
		l.pulse.began = now
	}
	l.running++
	it.attempt++
	return it
}

// isWanted reports whether there is a hook to wait for.
func (l *lane) isWanted() bool {
	hook, ok := l.hooks.Hook(l.hook)
	return ok && hook.isOn()
}

// ring is called by the alarm.
func (l *lane) ring() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.alarm.rang()
	l.fill(time.Now())
}
