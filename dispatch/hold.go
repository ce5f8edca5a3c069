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

// held makes it known that the receiver wants no request before that time; zero: it does
// not mind any more. It needs mu.
func (l *lane) held(until, now time.Time) {
	l.hold.until = until
	if l.store == nil || !l.hold.isNews(now) {
		return
	}
	l.hold.noted = until
	l.store.add(note{ask: func(ctx context.Context) error {
		return l.store.store.Hold(ctx, l.hook, max(0, time.Until(until)))
	}})
}

// restoreHold goes on with what the receiver asked for before the start, if it can be so:
// nobody waits for longer than Cap.
func (l *lane) restoreHold(wait time.Duration) {
	if wait <= 0 || wait > l.policy.Cap {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hold.until = time.Now().Add(wait)
	l.hold.noted = l.hold.until
	l.show(time.Now())
}
