package dispatch

import "time"

// turn is a lane's decision what goes now. Its methods need the lane's mu.
type turn struct {
	*lane
	now time.Time
}

// choose hands out the delivery that may go now, if any.
func (t turn) choose() *item {
	l, now := t.lane, t.now
	switch {
	case l.row == nil || !l.isOff() && t.isFinal():
		l.window.releaseAll()
		return l.window.next() // there is nothing to wait for
	case l.isOff():
		return t.expired(ReasonSwitchedOff, t.heldFor)
	case l.paused:
		return nil
	case now.Before(l.hold.until):
		l.alarm.set(l.hold.until)
		return nil
	case l.health.failing:
		return t.probe()
	}
	l.window.release(now)
	it := l.window.next()
	if it == nil && len(l.window.waiting) > 0 {
		l.alarm.set(l.window.waiting[0].at)
	}
	return it
}

// isFinal reports whether nothing can be sent to the hook before its row changes.
func (t turn) isFinal() bool {
	l := t.lane
	return !l.paused && (l.row.IsRefused() || l.stopped.Load() == l.row.Revision())
}

// probe hands out the one delivery that a failing hook is to get.
func (t turn) probe() *item {
	l, now := t.lane, t.now
	if it := t.expired(ReasonExhausted, t.retriedFor); it != nil {
		return it
	}
	if it := t.doubted(); it != nil {
		return it
	}
	it := l.window.untried()
	untried := it != nil
	at := l.health.nextUntried(now)
	if untried && !at.After(now) && !l.pulse.scout.After(now) && l.window.tail && l.window.scout && !l.window.reading {
		return nil // there may be a newer one: fill asks
	}
	if !untried {
		it, at = l.window.tried(l.health.inTurn%2 == 1), l.health.nextTried(now)
	}
	switch {
	case it == nil:
	case at.After(now):
		l.alarm.set(at)
		it = nil
	default:
		l.health.probe(untried, now)
		l.window.take(it)
	}
	return it
}

// retriedFor is how much of a delivery's time is used up.
func (t turn) retriedFor(it *item) time.Duration { return t.lane.age(it, t.now) }

// heldFor is how much of its time is used up while the hook is off. It has all of it from
// when the hook was switched off; since that is not known after a restart, it has twice
// its time at most.
func (t turn) heldFor(it *item) time.Duration {
	age := t.lane.age(it, t.now)
	return max(age-t.lane.policy.RetryFor, min(age, t.now.Sub(t.lane.off)))
}

// expired hands out the oldest delivery if its time is up, to be buried for the reason.
func (t turn) expired(reason Reason, used func(*item) time.Duration) *item {
	l, now := t.lane, t.now
	it := l.window.schedule.oldest
	if it == nil || it.state != ready && it.state != waiting {
		return nil
	}
	if left := l.policy.RetryFor - used(it); left > 0 {
		l.alarm.set(now.Add(left))
		return nil
	}
	l.window.take(it)
	it.fate = reason
	return it
}
