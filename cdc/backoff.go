package cdc

import "time"

// backoff returns the pause before reconnection attempt n (from 0): exponential from
// least to most, reduced by up to half by random (0 ≤ random < 1), so that several
// instances do not reconnect at the same time.
func backoff(n int, least, most time.Duration, random float64) time.Duration {
	d := min(most, least<<min(n, 20)) // a million times least is longer than most
	return d - time.Duration(random*float64(d)/2)
}
