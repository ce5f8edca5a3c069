package wiring

// The memory bound is shared out: rows that are on their way to the lanes, and
// bodies in the lanes; the rest is for what is in hand, and for what the garbage
// collector has not come to yet.
const (
	PartShare   = 64 // one part of a transaction
	RowsShare   = 16
	BatchShare  = 16 // rows that are read for one batch of payloads
	BodiesShare = 8

	OverlapShare = 32 // events that are remembered for hooks that may be adopted
)
