package main

// The memory bound is shared out: rows that are on their way to the lanes, and
// bodies in the lanes; the rest is for what is in hand, and for what the garbage
// collector has not come to yet.
const (
	partShare   = 64 // one part of a transaction
	rowsShare   = 16
	bodiesShare = 8
)

// besideHeap is what the process takes beside the memory that Go's runtime manages
// and limits: above all the pages of the program itself.
const besideHeap = 20 << 20

// heapOf is what of the memory bound is left for Go's runtime.
func heapOf(memory int64) int64 { return max(memory-besideHeap, memory/2) }
