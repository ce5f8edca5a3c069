package dispatch

import (
	"container/heap"
	"context"
	"log/slog"
	"math/rand/v2"
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

	start    func(work func(context.Context)) // a goroutine that Close waits for
	grown    func(bytes int64)                // a letter has become larger
	finished func(*item)                      // called once per item, outside of the lock
	empty    func()                           // nothing is left of a hook that is gone; outside of the lock

	stopped atomic.Uint64 // revision of the hook that the receiver answered with 410

	mu        sync.Mutex
	schedule  schedule
	waiting   retries
	health    health
	running   int
	dropped   int       // since the hook is gone or switched off
	notBefore time.Time // as the receiver asked
	timer     *time.Timer
	wake      time.Time // of the timer; zero: not set
	closed    bool
}

// add appends a delivery.
func (l *lane) add(it *item) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.schedule.add(it)
	l.fill(time.Now())
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
	l.fill(time.Now())
}

// close lets nothing start any more.
func (l *lane) close() {
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
	return l.schedule.oldest == nil
}

// fill starts a goroutine for each delivery that may go. It needs the lock.
func (l *lane) fill(now time.Time) {
	for {
		it := l.pick(now)
		if it == nil {
			return
		}
		l.start(func(ctx context.Context) { l.work(ctx, it) })
	}
}

// pick returns the delivery to attempt now, and otherwise sets the timer if time
// alone will bring one. It needs the lock.
func (l *lane) pick(now time.Time) *item {
	if l.closed || l.schedule.oldest == nil {
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
	l.running++
	return it
}

// isWanted reports whether there is a hook to wait for.
func (l *lane) isWanted() bool {
	hook, ok := l.hooks.Hook(l.hook)
	return ok && hook.Active
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

// work attempts the delivery, and one after the other that may go then.
func (l *lane) work(ctx context.Context, it *item) {
	for it != nil {
		v, made := l.attempt(ctx, it)
		if made && v.step != deliver && ctx.Err() != nil {
			return // closed: the attempt was cut off and says nothing
		}
		it = l.settle(it, v, made)
	}
}

// attempt makes an attempt unless there is nobody to make it for.
func (l *lane) attempt(ctx context.Context, it *item) (v verdict, made bool) {
	hook, ok := l.hooks.Hook(l.hook)
	switch {
	case !ok || !hook.Active:
		return verdict{step: drop}, false
	case hook.Refused != ReasonNone:
		return verdict{step: bury, reason: hook.Refused}, false
	case l.stopped.Load() == hook.revision:
		return verdict{step: bury, reason: ReasonGone}, false
	}
	it.attempt++
	message, grown := it.letter.message(it.Target, it.attempt)
	if grown > 0 {
		l.grown(grown)
	}
	o := l.sender.Send(ctx, hook, message)
	v = l.policy.verdict(o, it.attempt, time.Since(it.added), rand.Float64())
	if v.step != deliver && ctx.Err() != nil {
		return v, true
	}
	l.report(ctx, it, o, v)
	if v.stop {
		l.stopped.Store(hook.revision)
		l.metrics.enter(StateStopped)
	}
	return v, true
}

// settle does what follows the attempt and returns the delivery to go on with.
//
// This is the place of durable parking: instead of waiting here, what has failed
// its quick attempts is parked, with what follows it for the same task, and is
// then finished as far as the lane is concerned.
func (l *lane) settle(it *item, v verdict, made bool) (next *item) {
	now := time.Now()
	l.mu.Lock()
	l.running--
	if made {
		l.observe(it, v, now)
	}
	if v.step == retry {
		it.at = now.Add(v.delay)
		l.schedule.hold(it)
		heap.Push(&l.waiting, it)
	} else {
		l.schedule.done(it)
	}
	if v.step == drop {
		l.dropped++
	}
	dropped := 0
	if l.schedule.oldest == nil {
		dropped, l.dropped = l.dropped, 0
	}
	next = l.pick(now)
	l.fill(now)
	l.mu.Unlock()

	switch v.step {
	case retry:
		l.metrics.count(it.Action, retried)
		return next
	case deliver:
		l.metrics.count(it.Action, delivered)
	case bury:
		l.metrics.count(it.Action, dead)
		if !made {
			l.reportBuried(it, v)
		}
	}
	l.finished(it)
	if dropped > 0 {
		l.log.Info("Webhook is gone or switched off: its deliveries were dropped", "hook", l.hook, "deliveries", dropped)
		l.empty()
	}
	return next
}

// observe draws the conclusions from an attempt for the whole hook. It needs the
// lock.
func (l *lane) observe(it *item, v verdict, now time.Time) {
	if v.hold > 0 {
		l.notBefore = now.Add(v.hold)
		l.metrics.enter(StateWaiting)
	}
	before := l.health.failing
	if v.step == deliver {
		l.health.succeeded()
		if before || !l.notBefore.IsZero() && !now.Before(l.notBefore) {
			l.notBefore = time.Time{}
			l.metrics.enter(StateLive)
		}
		return
	}
	l.health.failed(it.Event.Project, it.Event.Task)
	if l.health.failing && !before && v.hold == 0 && !v.stop {
		l.metrics.enter(StateFailing)
	}
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
