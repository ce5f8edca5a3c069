package dispatch

import (
	"context"
	"time"
)

// soon is how much of what a receiver asked for may be forgotten by a restart, which takes
// that long itself: it is not worth a write.
const soon = 5 * time.Second

// hold is what a receiver has asked for with Retry-After. The lane's mu guards it.
type hold struct {
	until time.Time // no request before this
	noted time.Time // the same, as the store has it for the next start
}

// isNews reports whether the store has to be told.
func (h *hold) isNews(now time.Time) bool {
	until, noted := latest(h.until, now), latest(h.noted, now)
	return until.Sub(noted) > soon || noted.Sub(until) > soon
}

// held needs mu. It makes it known that the receiver wants no request before that time;
// zero: it does not mind any more.
func (l *lane) held(until, now time.Time) {
	l.gate.hold.until = until
	if l.store == nil || !l.gate.hold.isNews(now) {
		return
	}
	l.gate.hold.noted = until
	l.store.add(note{ask: func(ctx context.Context) error {
		return l.store.store.Hold(ctx, l.hook, max(0, time.Until(until)))
	}})
}

// restoreHold goes on with what the receiver asked for before the start, if it can be so:
// nobody waits for longer than Cap.
func (l desk) restoreHold(wait time.Duration) {
	if wait <= 0 || wait > l.policy.Cap {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gate.hold.until = time.Now().Add(wait)
	l.gate.hold.noted = l.gate.hold.until
	l.show(time.Now())
}
