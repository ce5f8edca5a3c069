package dispatch

import (
	"container/heap"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// lane is one hook's deliveries, and the goroutines that attempt them. It is safe
// for concurrent use.
type lane struct {
	hook    int64
	hooks   *Hooks
	sender  *Sender
	policy  Policy
	log     *slog.Logger
	metrics *hookMetrics

	failures failures // the log of them

	start    func(work func(context.Context)) // a goroutine that Close waits for
	finished func(done func(), l *letter)     // called once per item, outside of the lock
	network  *network
	recorder *recorder
	empty    func() // nothing is left of a hook that is gone; outside of the lock
	permit   func() bool

	stopped atomic.Uint64 // revision of the hook that the receiver answered with 410
	refused atomic.Bool   // the last attempt was not made

	record record

	mu sync.Mutex
	window
	schedule  schedule
	waiting   retries
	health    health
	running   int
	began     time.Time     // the first of the attempts that are under way
	ended     time.Time     // the last attempt
	answered  time.Time     // the last one that got an answer
	took      time.Duration // it
	warned    time.Time     // in the log, of being slow
	dropped   int           // since the hook is gone or switched off
	notBefore time.Time     // as the receiver asked
	timer     *time.Timer
	wake      time.Time // of the timer; zero: not set
	closed    bool
}

// add appends a delivery.
func (l *lane) add(it *item) {
	now := time.Now()
	l.mu.Lock()
	accepted := l.accept(it, now)
	if accepted {
		l.fill(now)
	}
	l.mu.Unlock()
	if !accepted {
		l.tally(it.Action, dead)
		l.reportUnsent(it, ReasonSuspended)
		l.finished(it.done, it.letter)
	}
}

// changed is to be called after the hook's row has changed: it is tried at once,
// or its deliveries are dropped.
func (l *lane) changed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notBefore = time.Time{}
	l.health = newHealth(l.health.most)
	for len(l.waiting) > 0 {
		l.schedule.release(heap.Pop(&l.waiting).(*item))
	}
	now := time.Now()
	l.show(now)
	l.fill(now)
}

// show makes the lane's state known. It needs the lock.
func (l *lane) show(now time.Time) { l.metrics.enter(l.state(now)) }

// state is how it stands with the hook. It needs the lock.
func (l *lane) state(now time.Time) State {
	hook, ok := l.hooks.Hook(l.hook)
	switch {
	case !ok:
		return StateInactive
	case hook.state() != StateLive:
		return hook.state()
	case l.refused.Load():
		return StateRefused
	case l.suspended:
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
	l.failures.close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.timer != nil {
		l.timer.Stop()
	}
}

func (l *lane) isEmpty() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.schedule.oldest == nil && !l.tail
}

// fill starts a goroutine for each delivery that may go. It needs the lock.
func (l *lane) fill(now time.Time) {
	for {
		it := l.pick(now)
		if it == nil {
			break
		}
		l.start(func(ctx context.Context) { l.work(ctx, it) })
	}
	if l.tail {
		l.read()
	}
}

// pick returns the delivery to attempt now, and otherwise sets the timer if time
// alone will bring one. It needs the lock.
func (l *lane) pick(now time.Time) *item {
	if l.closed || !l.permit() || l.schedule.oldest == nil || l.paused && (l.halted || l.isWanted()) {
		return nil
	}
	if now.Before(l.notBefore) && l.isWanted() {
		l.wakeAt(l.notBefore)
		return nil
	}
	for len(l.waiting) > 0 && !l.waiting[0].at.After(now) {
		l.schedule.release(heap.Pop(&l.waiting).(*item))
	}
	if l.running >= l.health.limit {
		return nil
	}
	var it *item
	if l.health.failing {
		it = l.schedule.takeOldest() // the probe: the true head
	} else {
		it = l.schedule.next()
	}
	if it == nil {
		if len(l.waiting) > 0 {
			l.wakeAt(l.waiting[0].at)
		}
		return nil
	}
	if l.running == 0 {
		l.began = now
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

// wakeAt sets the lane's one timer, unless it rings before that anyway.
func (l *lane) wakeAt(at time.Time) {
	if !l.wake.IsZero() && !at.Before(l.wake) {
		return
	}
	l.wake = at
	if l.timer == nil {
		l.timer = time.AfterFunc(time.Until(at), l.ring)
	} else {
		l.timer.Reset(time.Until(at))
	}
}

func (l *lane) ring() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wake = time.Time{}
	l.fill(time.Now())
}

// retries is a heap of items by the time of their next attempt.
type retries []*item

func (r retries) Len() int           { return len(r) }
func (r retries) Less(i, j int) bool { return r[i].at.Before(r[j].at) }
func (r retries) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }

// Push is for package heap.
func (r *retries) Push(it any) { *r = append(*r, it.(*item)) }

// Pop is for package heap.
func (r *retries) Pop() any {
	last := len(*r) - 1
	it := (*r)[last]
	(*r)[last] = nil
	*r = (*r)[:last]
	return it
}
