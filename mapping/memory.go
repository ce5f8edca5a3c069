package mapping

import (
	"hash/maphash"

	"github.com/hooktail/hooktail/cdc"
)

// memory is what the stream's rows have shown so far: the projects of tasks and
// annotations, for deletions whose rows contain only the key, and the last known state of
// rows whose updates lack the old row. It drops the least recently used entries.
type memory struct {
	seed        maphash.Seed
	era         uint32 // counts rereads: knowledge from a later era is not about the past
	projects    recent[projectMemo]
	tasks       owners // last known project of the task
	annotations recent[annotationMemo]
}

type projectMemo struct {
	organization int64
	updatedAt    uint64
	timeline     int32
	commit       cdc.LSN // that showed updatedAt
	since        cdc.LSN // commit that showed deleted first
	era          uint32  // of updatedAt
	markEra      uint32  // of deleted
	deleted      bool
	whole        bool // all of its tasks are in the overlap cohort: none is rearranged
}

type annotationMemo struct {
	project, task int64
	updatedAt     uint64
	era           uint32
}

// reread begins an era: the stream is read again from the commit on, or continues there on
// another timeline, which may lack what came before. What it has shown of projects before,
// on the same timeline, remains known.
func (m *memory) reread(timeline int32, from cdc.LSN) {
	for _, generation := range []map[int64]projectMemo{m.projects.young, m.projects.old} {
		for id, memo := range generation {
			if memo.timeline != timeline {
				continue
			}
			if memo.era == m.era && memo.commit < from {
				memo.era++
			}
			if memo.markEra == m.era && memo.since < from { // later changes have not touched the mark
				memo.markEra++
			}
			generation[id] = memo
		}
	}
	m.era++
}

// remembered is the approximate number of rows remembered for each table, and of blocks of
// tasks: at most 2 to 4 MB each.
const remembered = 1 << 15

// fingerprint replaces a timestamp's text by 64 bits. A collision (one in 2^64) would
// make an update look unchanged.
func (m *memory) fingerprint(text []byte) uint64 { return maphash.Bytes(m.seed, text) }

// recent is a map of the most recently used entries, between size and 2×size of them. It
// has two generations: entries not used while one fills up are dropped with the older
// one. So it needs no list and no pointer per entry.
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
		if _, again := r.young[key]; !again {
			r.young, r.old = r.old, r.young
			clear(r.young)
		}
	}
	r.young[key] = value
}
