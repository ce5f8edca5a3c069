package dispatch

import (
	"context"
	"time"
)

// soon is the part of a requested pause that a restart may forget, since a restart takes
// as long: it is not worth a write.
const soon = 5 * time.Second

// hold is the pause requested by a receiver with Retry-After. The lane's mu guards it.
type hold struct {
	until time.Time // no request before this time
	noted time.Time // the same as stored for the next start
}

// isNews reports whether to write it to the store.
func (h *hold) isNews(now time.Time) bool {
	return latest(h.until, now).Sub(latest(h.noted, now)).Abs() > soon
}

// held needs mu. It sets the time before which the receiver wants no request; zero: no
// pause.
func (l *lane) held(until, now time.Time) {
	l.gate.hold.until = until
	if l.store == nil || !l.gate.hold.isNews(now) {
		return
	}
	l.gate.hold.noted = until
	l.store.add(operation{ask: func(ctx context.Context) error {
		l.mu.Lock()
		until := l.gate.hold.until // a row that is locked may be written after a later pause
		l.mu.Unlock()
		return l.store.store.Hold(ctx, l.hook, max(0, time.Until(until)))
	}})
}
