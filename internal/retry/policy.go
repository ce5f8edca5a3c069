package retry

import (
	"context"
	"time"
)

// Policy says how an action is retried. First and Patience are required.
type Policy struct {
	First   time.Duration // pause after the first failure; it doubles after each one
	Longest time.Duration // bound of the pause; 0: First

	// Patience bounds the first attempt, which may wait for a peer that is gone. An attempt
	// that times out doubles the patience of the next one, up to patienceGrowth times, in
	// case the peer is only slow.
	Patience time.Duration

	// Again reports whether an error is worth another attempt; nil: every error is. It is
	// not asked about an attempt that timed out, which always is.
	Again func(err error) bool

	// Failed is called for each failure that is followed by another attempt; nil: it is not.
	Failed func(ctx context.Context, err error, next time.Duration)
}

// patienceGrowth bounds the patience as a multiple of the first attempt's.
const patienceGrowth = 64

// Do calls f until it succeeds. It returns the last error of f when ctx ends or when the
// error is not worth another attempt.
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
