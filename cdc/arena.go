package cdc

// arenaChunk bounds the chunks in which an arena grows, and so what a part
// holds and does not use.
const arenaChunk = 64 << 10

// arena keeps the rows of one part: it copies them out of the read buffer, into
// chunks that grow with the number of rows, so that a part of one row takes
// exactly that row's memory.
type arena struct {
	raw   []byte   // the current chunk; earlier ones are held by their rows
	index []uint32 // the same for the index of columns
	held  int      // bytes allocated in all chunks
}

// needs is what the arena would have to allocate for the two rows.
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
