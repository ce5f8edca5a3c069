package relay

import (
	"os"
	"runtime/debug"
)

// besideHeap is what the process takes beside the memory that Go's runtime manages
// and limits: above all the pages of the program itself.
const besideHeap = 17 << 20

// heapOf is what of the memory bound is left for Go's runtime.
func heapOf(memory int64) int64 { return max(memory-besideHeap, memory/2) }

// garbage is how much of it there may be, in percent of what lives: twice what Go
// allows. Little lives mostly, and to look through it less often takes a tenth off
// the processor time of a request. Near the memory bound it is looked through more
// often all the same.
const garbage = 200

// limitHeap keeps the process within the bound. What the environment says of Go's
// collector goes first.
func limitHeap(memory int64) {
	debug.SetMemoryLimit(heapOf(memory))
	if _, said := os.LookupEnv("GOGC"); !said {
		debug.SetGCPercent(garbage)
	}
}
