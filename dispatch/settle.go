package dispatch

import "time"

// settle does what follows the attempt and returns the delivery to go on with.
func (l *lane) settle(it *item, o Outcome, v verdict, made bool) (next *item) {
	now := time.Now()
	l.mu.Lock()
	l.running--
	if made {
		it.last = o
		l.pulse.beat(o, now)
	} else {
		it.attempt--
	}
	if v.step == retry {
		save := it.attempt > quick || l.leaving
		if it.stored {
			save = v.delay >= l.policy.Base
		}
		l.write(l.window.retryAt(it, now.Add(v.delay), save))
	} else {
		if v.step == forgo && it.stored {
			l.backlog.forgo(it)
		}
		l.write(l.window.done(it, v))
	}
	if made {
		l.observe(it, v, now)
	}
	if v.step == drop {
		l.dropped++
	}
	dropped := 0
	if l.window.isEmpty() {
		dropped, l.dropped = l.dropped, 0
	}
	l.show(now)
	next = l.pick(now)
	l.fill(now)
	finished := v.step != retry && !it.stored
	l.mu.Unlock()

	l.journal.tell(it, o, v, made)
	if finished {
		l.finished(it.done, it.letter)
	}
	if dropped > 0 {
		l.log.Info("Webhook is gone or switched off: its deliveries were dropped", "hook", l.hook, "deliveries", dropped)
		l.retire(l.hook)
	}
	return next
}

// observe draws the conclusions from an attempt for the whole hook. It needs
// mu.
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
		l.write(l.window.keepAll())
	}
}
