package dispatch

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hooktail/hooktail/internal/logging"
)

// failures is the log of a hook that fails: its first failure at once, then a
// line now and then that counts those since the line before, and one when it works again.
// At DEBUG each failure has its line. It is safe for concurrent use.
type failures struct {
	hook   int64
	log    *slog.Logger
	active atomic.Bool // something has failed; for the way that all goes well

	mu     sync.Mutex
	pace   logging.Pace
	worked bool        // the last attempt was a success
	latest []slog.Attr // of the last failure
	dead   int         // of the failures since the last line, those that were the last
	parked int         // since the trouble began
	timer  *time.Timer // rings when there may be a line to log; nil: not set
	closed bool        // nothing rings any more
}

// failed counts a failure, and returns the level of its own line, with the count
// of those that the line speaks of.
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

// succeeded notes that an attempt was a success.
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

// stored counts a delivery that was parked.
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

// ring logs what there is to log.
func (f *failures) ring() {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.timer = nil
	if f.closed {
		return
	}
	if next := f.pace.Next(); now.Before(next) {
		f.ringAt(next, now) // there was a line meanwhile
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

// tell logs the failures that have no line yet.
func (f *failures) tell(now time.Time) {
	attrs := append(f.latest[:len(f.latest):len(f.latest)], slog.Int("failures", f.pace.Tell(now)), slog.Int("dead", f.dead))
	f.dead = 0
	f.log.LogAttrs(context.Background(), slog.LevelError, "Webhook goes on failing", attrs...)
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

// close logs what has no line yet. What fails from now on is logged at once.
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
