package retry

import (
	"context"
	"time"
)

// Sleep waits for d. It returns the context's error if ctx ends first or has already
// ended.
func Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil || d <= 0 {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// Every calls f after each period until ctx ends, and then returns nil, or until f
// returns an error, and then returns that. A call that takes longer than the period
// delays the next one.
func Every(ctx context.Context, period time.Duration, f func() error) error {
	tick := time.Tick(period)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick:
		}
		if ctx.Err() != nil { // both were ready
			return nil
		}
		if err := f(); err != nil {
			return err
		}
	}
}

// Always calls f now and after each period, until ctx ends.
func Always(ctx context.Context, period time.Duration, f func()) {
	f()
	_ = Every(ctx, period, func() error { f(); return nil }) // f returns no error
}
