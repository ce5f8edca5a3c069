package mapping

import (
	"sync"
	"time"
)

// Projects notes which transactions of the stream have changed projects. Where a Mapper
// and a Renderer share one, a project that was read is used again until the stream shows a
// change of any. The zero Projects is ready; it is safe for concurrent use.
type Projects struct {
	mu      sync.Mutex
	changes uint64
	xids    []uint32 // of the latest that nobody has asked for
}

// latestChanges bounds the transactions that are noted: those before them have long been
// seen by all.
const latestChanges = 1024

func (p *Projects) changed(xid uint32) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changes++
	if len(p.xids) == latestChanges {
		p.xids = append(p.xids[:0], p.xids[1:]...)
	}
	p.xids = append(p.xids, xid)
}

// take is how many changes there were, and the transactions since it was last asked.
func (p *Projects) take() (changes uint64, xids []uint32) {
	if p == nil {
		return 0, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	changes, xids = p.changes, p.xids
	p.xids = nil
	return changes, xids
}

// keptProjects are those that a Renderer has read of late.
type keptProjects struct {
	stream  *Projects // nil: none is kept
	changes uint64    // that the stream has shown
	xids    []uint32  // that have to be seen before a project is read
	recent  recent[*keptProject]
	columns string // what the columns of those were told by
	told    string // the same of the batch
}

// keptProject is a project without its counts.
type keptProject struct {
	fields, types []byte
	changes       uint64 // that had been shown when it was read
	at            time.Time
}

// Bounds of what is kept: up to 2 × keptCount projects, for as long as keptFor.
const (
	keptCount = 32
	keptSize  = 32 << 10 // of one
	keptFor   = time.Second
)

func newKeptProjects(stream *Projects) keptProjects {
	return keptProjects{stream: stream, recent: newRecent[*keptProject](keptCount)}
}

// await takes note of what the stream has shown, and returns the transactions that have
// to be seen before a project is read.
func (k *keptProjects) await() []uint32 {
	changes, xids := k.stream.take()
	k.changes, k.xids = changes, append(k.xids, xids...)
	return k.xids
}

// get is the project, nil if it has to be read.
func (k *keptProjects) get(id int64, now time.Time) *keptProject {
	if k.stream == nil {
		return nil
	}
	if p, ok := k.recent.get(id); ok && p.changes == k.changes && now.Sub(p.at) <= keptFor {
		return p
	}
	return nil
}

// seen says that the transactions could be seen when the projects of a batch were read.
func (k *keptProjects) seen(projects map[int64]*projectRead) {
	k.xids = k.xids[:0]
	if k.stream == nil {
		return
	}
	for id, p := range projects {
		if p.kept != nil && len(p.kept.fields) <= keptSize {
			k.recent.put(id, p.kept)
		}
	}
}

// isOutdated reports whether the table has got other columns, which the stream does not
// show before it shows a change. Nothing is kept then.
func (k *keptProjects) isOutdated() bool {
	outdated := k.columns != "" && k.told != k.columns
	if k.columns = k.told; outdated {
		k.forget()
	}
	return outdated
}

// projectColumn is the name of what the columns of projects are told by, among the columns
// of a query.
const projectColumn = "hooktail_project"

func (k *keptProjects) forget() {
	clear(k.recent.young)
	clear(k.recent.old)
}
