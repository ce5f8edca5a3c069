package relay

import (
	"os"
	"runtime/debug"
)

// besideHeap is the memory that Go's runtime does not manage: the pages of the program, of which
// 20 MiB are resident after the start (RssFile in /proc/PID/status). It is lower than that,
// since the runtime's own part is never resident as a whole.
const besideHeap = 17 << 20

// heapOf returns the part of the memory bound for Go's runtime.
func heapOf(memory int64) int64 { return max(memory-besideHeap, memory/2) }

// garbage is the value of GOGC, in percent of the live heap, twice Go's default. The live
// heap is usually small, and collecting less often saves a tenth of the processor time of
// a request. Near the memory bound the collector runs more often regardless.
const garbage = 200

// limitHeap keeps the process within the bound. Settings of the garbage collector in the
// environment take precedence.
func limitHeap(memory int64) {
	debug.SetMemoryLimit(heapOf(memory))
	if _, said := os.LookupEnv("GOGC"); !said {
		debug.SetGCPercent(garbage)
	}
}
