package dispatch

import "sync/atomic"

// What windows have is not in the budget of what the lanes hold, so lanes share its
// room: a thousand hooks that are dead are to take little more than one.
const (
	windowsRoom = 16 << 10 // deliveries in the windows of all lanes with a tail, about: 6 MB
	mostWindow  = 8 << 10
	leastWindow = 64

	mostChunk  = 1 << 10
	leastChunk = 32

	fetchRoom  = 8 << 20 // bytes of bodies that all lanes have read, about
	mostFetch  = 256 << 10
	leastFetch = 16 << 10
)

// windows says how large a lane's window may be. It is safe for concurrent use.
type windows struct {
	lanes atomic.Int32
	tails atomic.Int32 // lanes that have a tail
}

// count takes note of a lane that has a tail from now on, or has none any more.
func (w *windows) count(tail bool) {
	if tail {
		w.tails.Add(1)
	} else {
		w.tails.Add(-1)
	}
}

// most is how many deliveries a window has with what waits behind an event that its
// receiver will not have.
func (w *windows) most() int {
	return max(leastWindow, min(mostWindow, windowsRoom/max(1, int(w.tails.Load()))))
}

// chunk is how many are read from the tail at a time.
func (w *windows) chunk() int { return max(leastChunk, min(mostChunk, w.most()/8)) }

// scarce is how many may go at the least: below that more is read.
func (w *windows) scarce() int { return w.chunk() / 2 }

// fewest is how many there are while the hook gets nothing anyway: only the first is tried.
func (w *windows) fewest() int { return min(64, w.chunk()) }

// fetch is how many bytes of bodies a lane reads at a time, or one body.
func (w *windows) fetch() int {
	return max(leastFetch, min(mostFetch, fetchRoom/max(1, int(w.lanes.Load()))))
}
