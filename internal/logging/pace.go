package logging

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// The pause between two lines is at least First, doubles with each line, and is at most
// Longest.
const (
	First   = time.Second
	Longest = time.Minute
)

// Pace counts failures of one kind and decides when a line is due. Each failure is
// counted once by Over, and before that at most once by a line. The zero value is ready
// for use. It is not safe for concurrent use.
type Pace struct {
	since  time.Time     // first failure not yet counted by Over; zero: none
	last   time.Time     // last failure
	told   time.Time     // time of the last line
	wait   time.Duration // pause between the last line and the next
	untold int           // failures since the last line
	failed int           // failures since the last Over
}

// Failed counts a failure and reports whether a line is due. A line is due for the first
// failure, and for a failure after a pause of Longest without any.
func (p *Pace) Failed(now time.Time) (due bool) {
	if now.Sub(p.last) >= Longest {
		p.wait = 0
	}
	if p.since.IsZero() {
		p.since = now
	}
	p.last = now
	p.untold++
	p.failed++
	return !now.Before(p.Next())
}

// Tell must be called when a line is logged. It returns the number of failures that the
// line covers.
func (p *Pace) Tell(now time.Time) (failures int) {
	failures, p.untold = p.untold, 0
	p.told = now
	p.wait = min(max(2*p.wait, First), Longest)
	return failures
}

// Untold returns the number of failures that no line has covered.
func (p *Pace) Untold() int { return p.untold }

// Next returns when the next line is due.
func (p *Pace) Next() time.Time { return p.told.Add(p.wait) }

// Over must be called after a success. If a line has reported the failures, another line
// is due: Over returns how long they lasted, and how many no line has covered. Otherwise
// ok is false, and the failures remain for later lines.
func (p *Pace) Over(now time.Time) (took time.Duration, failures int, ok bool) {
	if p.since.IsZero() || p.told.Before(p.since) {
		return 0, 0, false
	}
	took, failures = now.Sub(p.since), p.failed
	p.since, p.failed, p.untold = time.Time{}, 0, 0
	return took, failures, true
}

// Repeat logs the failures of something that is retried until it succeeds, for example a
// query. The zero value is ready for use. It is safe for concurrent use.
type Repeat struct {
	mu   sync.Mutex
	pace Pace
}

// Failed counts a failure and logs it: if a line is due, at the level and with the number
// of failures since the last such line, otherwise at DEBUG.
func (r *Repeat) Failed(ctx context.Context, log *slog.Logger, level slog.Level, message string, attrs ...slog.Attr) {
	now := time.Now()
	r.mu.Lock()
	if r.pace.Failed(now) {
		attrs = append(attrs, slog.Int("failures", r.pace.Tell(now)))
	} else {
		level = slog.LevelDebug
	}
	r.mu.Unlock()
	log.LogAttrs(ctx, level, message, attrs...) //nolint:sloglint // constants of the callers
}

// Worked logs a success at INFO if a failure was logged before.
func (r *Repeat) Worked(ctx context.Context, log *slog.Logger, message string) {
	now := time.Now()
	r.mu.Lock()
	took, failures, ok := r.pace.Over(now)
	r.mu.Unlock()
	if ok {
		log.LogAttrs(ctx, slog.LevelInfo, message, slog.Duration("after", took), slog.Int("failures", failures)) //nolint:sloglint // constants of the callers
	}
}
