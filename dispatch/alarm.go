package dispatch

import "time"

// alarm is a timer for the earliest of several times. The lane's mu guards it.
type alarm struct {
	ring  func()
	timer *time.Timer // nil: not created yet
	at    time.Time   // when it rings; zero: not set
}

// set makes the alarm ring at that time, unless it rings earlier.
func (a *alarm) set(at time.Time) {
	if !a.at.IsZero() && !at.Before(a.at) {
		return
	}
	a.at = at
	if a.timer == nil {
		a.timer = time.AfterFunc(time.Until(at), a.ring)
	} else {
		a.timer.Reset(time.Until(at))
	}
}

func (a *alarm) stop() {
	if a.timer != nil {
		a.timer.Stop()
	}
}
