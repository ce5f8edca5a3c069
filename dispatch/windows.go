package dispatch

import "sync/atomic"

// Windows are not part of the lanes' budget, so lanes share this room: a thousand dead
// hooks must take little more than one.
const (
	windowsRoom = 16 << 10 // deliveries in the windows of all lanes with a tail, approximately 6 MB
	mostWindow  = 8 << 10
	leastWindow = 64

	mostChunk  = 1 << 10
	leastChunk = 32

	fetchRoom  = 8 << 20 // bytes of bodies read by all lanes, approximately
	mostFetch  = 256 << 10
	leastFetch = 16 << 10
)

// windows determines the size of each lane's window. It is safe for concurrent use.
type windows struct {
	lanes atomic.Int32
	tails atomic.Int32 // number of lanes with a tail
}

// count records that a lane has a tail, or no longer has one.
func (w *windows) count(tail bool) {
	if tail {
		w.tails.Add(1)
	} else {
		w.tails.Add(-1)
	}
}

// most returns the maximum size of a window, including what waits behind a refused event.
func (w *windows) most() int {
	return max(leastWindow, min(mostWindow, windowsRoom/max(1, int(w.tails.Load()))))
}

// chunk returns the number read from the tail at a time.
func (w *windows) chunk() int { return max(leastChunk, min(mostChunk, w.most()/8)) }

// scarce returns the number of ready deliveries below which more are read.
func (w *windows) scarce() int { return w.chunk() / 2 }

// fewest returns the number kept while the hook gets nothing: only the first is tried.
func (w *windows) fewest() int { return min(64, w.chunk()) }

// fetch returns the bytes of bodies that a lane reads at a time, or one body.
func (w *windows) fetch() int {
	return max(leastFetch, min(mostFetch, fetchRoom/max(1, int(w.lanes.Load()))))
}
