package cdc

import "time"

// backoff is how long to wait before attempt n (from 0) to connect again:
// exponential from least to most, of which random (0 ≤ random < 1) takes off
// up to a half, so that several instances do not come back at once.
func backoff(n int, least, most time.Duration, random float64) time.Duration {
	d := most
	if n < 32 && least<<n < most && least<<n > 0 {
		d = least << n
	}
	return d - time.Duration(random*float64(d)/2)
}
