package logging

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

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
