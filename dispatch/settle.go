package dispatch

import (
	"context"
	"time"

	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/dispatch/state"
)

// settle handles the result of the attempt and returns the delivery to continue with.
func (a attempt) settle(e *ending) (next *delivery) {
	l, d, v, made, now := a.lane, a.delivery, e.verdict, e.made, e.at
	l.mu.Lock()
	l.running--
	l.slots.keep(&l.claim, a.standing(e))
	if made {
		l.pulse.beat(e)
	} else {
		d.attempt--
	}
	l.cut = l.cut || made && e.Status == 0 && e.Contact != send.ContactMade // perhaps because of our own network
	spared := v.spared || l.health.failing
	failed := made && v.step != deliver && a.fails(v, now)
	if v.step == postpone {
		by := a.delay(v, made, now)
		by.spared = spared
		l.write(l.window.retryAt(d, by))
	} else {
		l.write(l.window.done(d, v, now))
	}
	if made && v.step == deliver {
		a.works(now)
	}
	if failed && l.store != nil {
		l.write(l.window.keep(true))
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
	l.slots.yield(&l.claim)
	finished := v.step != postpone && !d.stored
	if finished && d.trails {
		// After a crash these rows would be sent again, but this delivery would not.
		l.store.add(operation{ask: func(context.Context) error { // without the lane: it does not wait for a locked row
			l.finished(d.done, d.shared)
			return nil
		}})
		finished = false
	}
	l.mu.Unlock()

	l.journal.tell(d, e)
	if finished {
		l.finished(d.done, d.shared)
	}
	if dropped > 0 {
		l.o.Log.Info("Webhook was deleted: its deliveries were dropped", "hook", l.hook, "deliveries", dropped)
		l.retire(l.hook)
	}
	return next
}

// delay needs mu. It returns how the delivery is postponed, after an attempt if one was
// made.
func (a attempt) delay(v verdict, made bool, now time.Time) delay {
	l, d := a.lane, a.delivery
	due := now.Add(v.delay)
	by := delay{now: now, due: due, at: due, save: d.attempt > quick || l.leaving || v.doubt, doubt: v.doubt, failed: made}
	switch {
	case v.doubt:
	case l.health.failing:
		by.due = latest(due, l.health.nextTried(now))
		by.at = by.due
	case made && v.hold == 0:
		by.at = l.health.look(now)
	}
	if d.stored { // without an attempt there is nothing to record, least of all while the store does not answer
		by.save = made && (v.delay >= l.o.Retry.Base || l.health.failing || v.doubt)
	}
	return by
}

// works needs mu. It applies a success to the whole hook.
func (a attempt) works(now time.Time) {
	l := a.lane
	if l.health.failing || !now.Before(l.gate.hold.until) {
		l.held(time.Time{}, now)
	}
	l.health.succeeded()
}

// fails needs mu. It applies a failure to the whole hook, and reports whether the hook
// gets nothing for some time.
func (a attempt) fails(v verdict, now time.Time) bool {
	l, d := a.lane, a.delivery
	if v.hold > 0 {
		l.held(now.Add(v.hold), now)
	}
	if v.stop {
		l.revive()
		return false
	}
	before := l.health.failing
	if v.step == postpone || v.reason == ReasonExhausted || v.reason == ReasonRejected {
		l.health.failed(state.Task{Project: d.project, Task: d.task}, now)
	}
	return v.hold > 0 || l.health.failing && !before
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
