package logging

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Repeat logs what is tried again until it works, a query for example. The zero
// value is ready; it is safe for concurrent use.
type Repeat struct {
	mu   sync.Mutex
	pace Pace
}

// Failed counts a failure and logs it: at the level with the count of those since
// the last such line if one is due, otherwise at DEBUG.
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

// Worked logs at INFO that it works again, if there was a line about a failure.
func (r *Repeat) Worked(ctx context.Context, log *slog.Logger, message string) {
	now := time.Now()
	r.mu.Lock()
	took, failures, ok := r.pace.Over(now)
	r.mu.Unlock()
	if ok {
		log.LogAttrs(ctx, slog.LevelInfo, message, slog.Duration("after", took), slog.Int("failures", failures)) //nolint:sloglint // constants of the callers
	}
}
