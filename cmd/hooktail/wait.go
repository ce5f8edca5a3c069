package main

import (
	"context"
	"time"
)

// sleep waits for d; it returns the context's error if that ended first.
func sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil || d <= 0 {
		return err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// every calls f after each period, until the context ends or f returns an error,
// which it returns.
func every(ctx context.Context, period time.Duration, f func() error) error {
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := f(); err != nil {
			return err
		}
	}
}

// always calls f at once and after each period, until the context ends.
func always(ctx context.Context, period time.Duration, f func()) {
	f()
	_ = every(ctx, period, func() error { f(); return nil }) // which returns none
}
