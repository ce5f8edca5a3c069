package cdc

// arenaChunk bounds the size of an arena's chunks, and so the unused memory of a part.
const arenaChunk = 64 << 10

// arena stores the rows of one part. It copies them from the read buffer into chunks that
// grow with the number of rows, so that a part of one row takes exactly that row's
// memory.
type arena struct {
	raw   []byte   // current chunk; rows refer to earlier ones
	index []uint32 // current chunk of the column index
	held  int      // bytes allocated in all chunks
}

// needs returns the bytes that the arena would have to allocate for the two rows.
func (a *arena) needs(old, new Tuple) int {
	raw, columns := len(old.raw)+len(new.raw), len(old.at)+len(new.at)
	n := 0
	if raw > cap(a.raw)-len(a.raw) {
		n += raw
	}
	if columns > cap(a.index)-len(a.index) {
		n += 4 * columns
	}
	return n
}

// keep copies the rows of one change.
func (a *arena) keep(old, new Tuple) (keptOld, keptNew Tuple) {
	if n := len(old.raw) + len(new.raw); n > cap(a.raw)-len(a.raw) {
		a.raw = make([]byte, 0, max(n, min(2*cap(a.raw), arenaChunk)))
		a.held += cap(a.raw)
	}
	if n := len(old.at) + len(new.at); n > cap(a.index)-len(a.index) {
		a.index = make([]uint32, 0, max(n, min(2*cap(a.index), arenaChunk/4)))
		a.held += 4 * cap(a.index)
	}
	return a.copy(old), a.copy(new)
}

func (a *arena) copy(t Tuple) Tuple {
	if t.IsZero() {
		return Tuple{}
	}
	r, i := len(a.raw), len(a.index)
	a.raw = append(a.raw, t.raw...)
	a.index = append(a.index, t.at...)
	kept := Tuple{raw: a.raw[r:len(a.raw):len(a.raw)], at: a.index[i:len(a.index):len(a.index)]}
	if kept.at == nil {
		kept.at = []uint32{}
	}
	return kept
}
