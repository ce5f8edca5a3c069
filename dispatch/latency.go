package dispatch

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// latencyWindow is the length of a window: a quantile covers the last one to two windows.
const latencyWindow = 5 * time.Minute

// The width of a bucket is an eighth of its power of two, so that the error of a quantile
// is at most a sixteenth. The last one begins at 12 days.
const (
	subBits        = 3
	latencyBuckets = 304
)

// latency is the distribution of durations in constant space. The zero value is empty. It
// is safe for concurrent use; an observation at the end of a window may count in either.
type latency struct {
	window  atomic.Int64 // number of the newer one
	counts  [2][latencyBuckets]atomic.Uint32
	current atomic.Uint32 // index of the newer one
}

func (l *latency) observe(d time.Duration, now time.Time) {
	l.turn(now)
	l.counts[l.current.Load()][bucketOf(d)].Add(1)
}

// turn begins a new window when it is time. One caller does so; others continue.
func (l *latency) turn(now time.Time) {
	window, last := now.UnixNano()/int64(latencyWindow), l.window.Load()
	if window <= last || !l.window.CompareAndSwap(last, window) {
		return
	}
	older := 1 - l.current.Load()
	for i := range l.counts[older] {
		l.counts[older][i].Store(0)
	}
	l.current.Store(older)
	if window > last+1 { // the other one has expired, too
		for i := range l.counts[1-older] {
			l.counts[1-older][i].Store(0)
		}
	}
}

// quantiles returns the median, the 99th percentile, and the number of observations; all
// are 0 if there were none.
func (l *latency) quantiles(now time.Time) (p50, p99 time.Duration, n uint64) {
	l.turn(now)
	var sums [latencyBuckets]uint64
	for i := range sums {
		sums[i] = uint64(l.counts[0][i].Load()) + uint64(l.counts[1][i].Load())
		n += sums[i]
	}
	return quantile(&sums, n, 50), quantile(&sums, n, 99), n
}

func quantile(sums *[latencyBuckets]uint64, n, percent uint64) time.Duration {
	rank, seen := (n*percent+99)/100, uint64(0)
	for i, sum := range sums {
		if seen += sum; seen >= rank && sum > 0 {
			return middleOf(i)
		}
	}
	return 0
}

// bucketOf returns the bucket of a duration: its highest bits, in microseconds.
func bucketOf(d time.Duration) int {
	us := uint64(max(0, d) / time.Microsecond)
	shift := max(0, bits.Len64(us)-subBits-1)
	return min(shift<<subBits+int(us>>shift), latencyBuckets-1)
}

func middleOf(bucket int) time.Duration {
	shift := max(0, bucket>>subBits-1)
	low := uint64(bucket-shift<<subBits) << shift
	return time.Duration(low)*time.Microsecond + time.Duration(uint64(1)<<shift)*time.Microsecond/2
}
