package retry

import (
	"context"
	"time"
)

// Policy says how something is tried again. First and Patience are required.
type Policy struct {
	First   time.Duration // pause after the first failure; it doubles after each one
	Longest time.Duration // bound of the pause; 0: First

	// Patience is the time that the first attempt has: it may wait for a peer that is
	// gone. An attempt that runs out of time doubles the patience of those after it, up
	// to patienceGrowth times, in case the peer is slow and not gone.
	Patience time.Duration

	// Again reports whether an error is worth another attempt. Nil: every error is. It
	// is not asked about an attempt that ran out of time, which always is.
	Again func(err error) bool

	// Failed is told of each failure that another attempt follows. Nil: nobody is.
	Failed func(ctx context.Context, err error, next time.Duration)
}

// patienceGrowth bounds the patience, as a multiple of the first attempt's.
const patienceGrowth = 64

// Do calls f until it succeeds. It returns the last error of f when ctx ends or the
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
