package dispatch

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hooktail/hooktail/internal/logging"
)

// failures is the log of a failing hook: the first failure immediately, then from time to
// time a line with the number of further ones, and a line when the hook works again. At
// DEBUG each failure has its line. It is safe for concurrent use.
type failures struct {
	hook   int64
	log    *slog.Logger
	active atomic.Bool // something has failed; false on the fast path

	mu     sync.Mutex
	pace   logging.Pace
	worked bool        // the last attempt was a success
	latest []slog.Attr // attributes of the last failure
	dead   int         // deliveries that died since the last line
	parked int         // parked since the failures began
	timer  *time.Timer // rings when a line may be due; nil: not set
	closed bool        // the timer is no longer set
}

// failed counts a failure, and returns the level of its own line, and the attributes with
// the number of failures that the line covers.
func (f *failures) failed(attrs []slog.Attr, died bool) (slog.Level, []slog.Attr) {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active.Store(true)
	f.worked, f.latest = false, attrs
	if died {
		f.dead++
	}
	level := slog.LevelDebug
	if f.pace.Failed(now) || f.closed {
		level = slog.LevelError
		attrs = append(attrs, slog.Int("failures", f.pace.Tell(now)), slog.Int("dead", f.dead))
		f.dead = 0
	}
	f.ringAt(f.pace.Next(), now)
	return level, attrs
}

func (f *failures) succeeded() {
	if !f.active.Load() {
		return
	}
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.worked = true
	f.ringAt(f.pace.Next(), now)
}

func (f *failures) stored() {
	if f.active.Load() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.parked++
	}
}

// ringAt sets the timer, unless it is set.
func (f *failures) ringAt(at, now time.Time) {
	if f.timer == nil && !f.closed {
		f.timer = time.AfterFunc(max(0, at.Sub(now)), f.ring)
	}
}

// ring logs what is due.
func (f *failures) ring() {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.timer = nil
	if f.closed {
		return
	}
	if next := f.pace.Next(); now.Before(next) {
		f.ringAt(next, now) // a line was logged meanwhile
		return
	}
	switch {
	case f.pace.Untold() > 0:
		f.tell(now)
		f.ringAt(f.pace.Next(), now)
	case f.worked:
		f.over(now)
	}
}

// tell logs the failures that no line has covered.
func (f *failures) tell(now time.Time) {
	attrs := append(f.latest[:len(f.latest):len(f.latest)], slog.Int("failures", f.pace.Tell(now)), slog.Int("dead", f.dead))
	f.dead = 0
	f.log.LogAttrs(context.Background(), slog.LevelError, "Webhook still failing", attrs...)
}

// over logs that the hook works again.
func (f *failures) over(now time.Time) {
	if took, failed, ok := f.pace.Over(now); ok {
		f.log.LogAttrs(context.Background(), slog.LevelInfo, "Webhook works again",
			slog.Int64("hook", f.hook), slog.Duration("after", took), slog.Int("failures", failed), slog.Int("parked", f.parked))
		f.parked = 0
		f.active.Store(false)
	}
}

// close logs failures that no line has covered. Later failures are logged immediately.
func (f *failures) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	if f.timer != nil {
		f.timer.Stop()
	}
	if f.pace.Untold() > 0 {
		f.tell(time.Now())
	}
}
