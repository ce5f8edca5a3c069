package dispatch

import "time"

// turn decides what a lane sends now. Its methods need the lane's mu.
type turn struct {
	*lane
	now time.Time
}

// choose needs mu. It hands out the delivery that may go now, if any, and otherwise sets
// the alarm if time alone will bring one.
func (t turn) choose() *delivery {
	l := t.lane
	terms, ok := t.terms()
	if !ok {
		return nil
	}
	d, at := l.window.next(terms)
	switch {
	case d == nil && !at.IsZero():
		l.alarm.set(at)
	case d != nil && terms.mode == asProbe && d.fate == ReasonNone && !d.doubted:
		l.health.probe(d.attempt == 0, t.now)
	}
	return d
}

// terms needs mu. It returns what the hook may get now; false: nothing.
func (t turn) terms() (terms, bool) {
	l, now := t.lane, t.now
	switch {
	case l.gate.row == nil || l.gate.isFinal():
		return terms{now: now, mode: atOnce}, true // there is nothing to wait for
	case l.gate.isOff():
		return terms{now: now, mode: onlyLate, left: t.leftOff, late: ReasonSwitchedOff}, true
	case l.gate.paused:
		return terms{}, false
	case now.Before(l.gate.hold.until):
		l.alarm.set(l.gate.hold.until)
		return terms{}, false
	case l.health.failing:
		return terms{
			now: now, mode: asProbe, left: func(d *delivery) time.Duration { return l.left(d, now) }, late: ReasonExhausted,
			untried: l.health.nextUntried(now), tried: l.health.nextTried(now),
			gentle: l.health.inTurn%2 == 1, newest: !latest(l.pulse.scout, l.pulse.rested).After(now),
		}, true
	}
	return terms{now: now, mode: inOrder}, true
}

// leftOff needs mu. It returns the rest of a delivery's time while the hook is inactive:
// the full time from the deactivation on; since that is unknown after a restart, at most
// twice the time.
func (t turn) leftOff(d *delivery) time.Duration {
	age := t.age(d, t.now)
	return t.o.Retry.RetryFor - max(age-t.o.Retry.RetryFor, min(age, t.now.Sub(t.gate.off)))
}
