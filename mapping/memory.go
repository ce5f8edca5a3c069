package mapping

import (
	"hash/maphash"
)

// memory is what a stream's rows have told so far: where tasks and annotations
// belong, for the deletions whose rows say no more than their key, and what
// was last known of rows whose updates do not show the old row. It is bounded
// and forgets what was used the longest ago.
type memory struct {
	seed        maphash.Seed
	era         uint32 // of the reading: what was learned in another one is not about the past
	projects    recent[projectMemo]
	tasks       recent[int64] // the task's last known project
	annotations recent[annotationMemo]
}

type projectMemo struct {
	organization int64
	updatedAt    uint64
	era          uint32
	deleted      bool
	whole        bool // all of its tasks are in the overlap cohort: none is arranged anew
}

type annotationMemo struct {
	project, task int64
	updatedAt     uint64
	era           uint32
}

// remembered is the number of rows of each table that are remembered, about:
// 2 to 4 MB per table at most.
const remembered = 1 << 15

func newMemory() memory {
	return memory{
		seed:        maphash.MakeSeed(),
		projects:    newRecent[projectMemo](remembered / 8),
		tasks:       newRecent[int64](remembered),
		annotations: newRecent[annotationMemo](remembered),
	}
}

// fingerprint stands for a timestamp's text: 64 bits instead of a string, whose
// collision (one in 2^64) would take an update for one that moved nothing.
func (m *memory) fingerprint(text []byte) uint64 { return maphash.Bytes(m.seed, text) }

// recent is a map of the most recently used entries, size to 2×size of them.
// It keeps two generations: what is not used while a generation fills up goes
// with the older one. So it needs neither a list nor a pointer per entry.
type recent[V any] struct {
	size       int
	young, old map[int64]V
}

func newRecent[V any](size int) recent[V] {
	return recent[V]{size: size, young: map[int64]V{}, old: map[int64]V{}}
}

func (r *recent[V]) get(key int64) (V, bool) {
	if v, ok := r.young[key]; ok {
		return v, true
	}
	v, ok := r.old[key]
	if ok {
		r.put(key, v)
	}
	return v, ok
}

func (r *recent[V]) put(key int64, value V) {
	if len(r.young) >= r.size {
		r.young, r.old = r.old, r.young
		clear(r.young)
	}
	r.young[key] = value
}
