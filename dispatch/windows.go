package dispatch

import "sync/atomic"

// How many deliveries a lane's window has. What is in windows is not in the budget of
// what the lanes hold, so all lanes share their room: a thousand hooks that are dead are
// to take no more than one.
const (
	windowsRoom = 16 << 10 // deliveries in the windows of all lanes, about: 6 MB
	leastChunk  = 32
	mostChunk   = 1024

	fetchRoom = 8 << 20 // bytes of bodies that all lanes have read, about
	mostFetch = 256 << 10
)

// windows says how large a lane's window may be. It is safe for concurrent use.
type windows struct{ lanes atomic.Int32 }

// chunk is how many deliveries are read from the tail at a time.
func (w *windows) chunk() int {
	return max(leastChunk, min(mostChunk, windowsRoom/max(1, int(w.lanes.Load()))))
}

// fetch is how many bytes of bodies a lane reads at a time, or one body.
func (w *windows) fetch() int {
	return min(mostFetch, fetchRoom/max(1, int(w.lanes.Load())))
}

// fewest is how many there are while the hook gets nothing anyway: only the first is tried.
func (w *windows) fewest() int { return min(64, w.chunk()) }

// most is how many there are with what waits behind an event that its receiver will not have.
func (w *windows) most() int { return 8 * w.chunk() }

// scarce is how many may go at the least: below that more is read.
func (w *windows) scarce() int { return w.chunk() / 2 }
