package wiring

// Shares of the memory bound: rows on their way to the lanes, and bodies in the lanes.
// The rest is for work in progress and for garbage not yet collected.
const (
	PartShare   = 64 // one part of a transaction
	RowsShare   = 16
	BatchShare  = 16 // rows read for one batch of payloads
	BodiesShare = 8

	OverlapShare = 32 // events remembered for hooks that may be adopted
	EchoShare    = 32 // messages of the log, written and not yet read, of an instance that does both
)
