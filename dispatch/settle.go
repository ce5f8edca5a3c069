package dispatch

import (
	"container/heap"
	"time"

	"github.com/hooktail/hooktail/mapping"
)

// settle does what follows the attempt and returns the delivery to go on with.
func (l *lane) settle(it *item, o Outcome, v verdict, made bool) (next *item) {
	now := time.Now()
	l.mu.Lock()
	l.running--
	if made {
		it.last, l.ended = o, now
		if o.Status != 0 {
			l.answered, l.took = now, o.Took
		}
	} else {
		it.attempt--
	}
	if v.step == retry {
		l.putOff(it, v, now)
	} else {
		l.take(it, v)
	}
	if made {
		l.observe(it, v, now)
	}
	if v.step == drop {
		l.dropped++
	}
	dropped := 0
	if l.schedule.oldest == nil && !l.tail {
		dropped, l.dropped = l.dropped, 0
	}
	l.show(now)
	next = l.pick(now)
	l.fill(now)
	finished := v.step != retry && !it.stored
	l.mu.Unlock()

	l.tell(it, o, v, made)
	if finished {
		l.finished(it.done, it.letter)
	}
	if dropped > 0 {
		l.log.Info("Webhook is gone or switched off: its deliveries were dropped", "hook", l.hook, "deliveries", dropped)
		l.empty()
	}
	return next
}

// putOff lets a delivery wait for its next attempt. What has failed its quick
// attempts is stored. It needs the lock.
func (l *lane) putOff(it *item, v verdict, now time.Time) {
	it.at = now.Add(v.delay)
	l.schedule.hold(it)
	heap.Push(&l.waiting, it)
	switch {
	case l.store == nil:
	case it.stored && v.delay >= l.policy.Base:
		l.store.add(note{kind: update, lane: l, item: it, row: it.row()})
	case !it.stored && (it.attempt > quick || l.leaving):
		l.keepWith(it)
	}
	it.drop()
}

// take removes a delivery that has come to its end. It needs the lock.
func (l *lane) take(it *item, v verdict) {
	l.schedule.done(it)
	switch {
	case it.stored:
		l.left(it, v)
	case v.step == bury && l.store != nil:
		l.entombed(it, v)
	}
}

// observe draws the conclusions from an attempt for the whole hook. It needs the
// lock.
func (l *lane) observe(it *item, v verdict, now time.Time) {
	if v.hold > 0 {
		l.notBefore = now.Add(v.hold)
	}
	if v.step == deliver {
		if l.health.failing || !now.Before(l.notBefore) {
			l.notBefore = time.Time{}
		}
		l.health.succeeded()
		return
	}
	before := l.health.failing
	l.health.failed(it.project, it.task)
	if l.store != nil && (v.hold > 0 || l.health.failing && !before) {
		l.keepAll()
	}
}

// tell counts what has become of the delivery.
func (l *lane) tell(it *item, o Outcome, v verdict, made bool) {
	switch v.step {
	case retry:
		if made {
			l.tally(it.Action, retried)
		}
	case deliver:
		l.tally(it.Action, delivered)
	case bury:
		l.tally(it.Action, dead)
		if !made {
			l.reportUnsent(it, v.reason)
			l.note(nil, it, o, v, mapping.Body{}, nil)
		}
	}
}
