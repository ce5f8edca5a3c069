package retry

import (
	"context"
	"time"
)

// Policy says how an action is retried. First and Patience are required.
type Policy struct {
	First   time.Duration // pause after the first failure; doubles with each failure
	Longest time.Duration // maximum pause; 0: First

	// Patience is the timeout of the first attempt. An attempt that times out doubles the
	// timeout of the next one, up to patienceGrowth times the first, in case the peer is
	// only slow.
	Patience time.Duration

	// Again reports whether to retry after an error; nil: always. It is not called after
	// a timeout, which is always retried.
	Again func(err error) bool

	// Failed, if not nil, is called for each failure that is followed by another attempt.
	Failed func(ctx context.Context, err error, next time.Duration)
}

// patienceGrowth is the maximum timeout, as a multiple of Patience.
const patienceGrowth = 64

// Do calls f until it succeeds. It returns the last error of f when ctx ends or Again
// returns false.
func (p Policy) Do(ctx context.Context, f func(context.Context) error) error {
	wait, patience := p.First, p.Patience
	for {
		attempt, cancel := context.WithTimeout(ctx, patience)
		err := f(attempt)
		late := attempt.Err() != nil
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || !late && p.Again != nil && !p.Again(err) {
			return err
		}
		if late {
			patience = min(2*patience, patienceGrowth*p.Patience)
		}
		if p.Failed != nil {
			p.Failed(ctx, err, wait)
		}
		if Sleep(ctx, wait) != nil {
			return err
		}
		wait = max(p.First, min(2*wait, p.Longest))
	}
}

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
