package mapping

import (
	"slices"
	"sync"
	"time"
)

// Projects records which transactions in the stream have changed projects. If a Mapper
// and a Renderer share one, a project read before is reused until the stream shows a
// change of any project. The zero value is ready for use; it is safe for concurrent use.
type Projects struct {
	mu      sync.Mutex
	changes uint64
	xids    []uint32 // latest ones, not yet taken
}

// latestChanges bounds the recorded transactions: earlier ones have long been visible.
const latestChanges = 1024

func (p *Projects) changed(xid uint32) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changes++
	if len(p.xids) == latestChanges {
		p.xids = slices.Delete(p.xids, 0, 1)
	}
	p.xids = append(p.xids, xid)
}

// news returns the number of changes, and the transactions since the last call.
func (p *Projects) news() (changes uint64, xids []uint32) {
	if p == nil {
		return 0, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	changes, xids = p.changes, p.xids
	p.xids = nil
	return changes, xids
}

// keptProjects are projects that a Renderer has read recently.
type keptProjects struct {
	stream  *Projects // nil: none are kept
	changes uint64    // number of changes shown by the stream
	xids    []uint32  // transactions that must be visible before a project is read
	recent  recent[*keptProject]
	columns string // fingerprint of their columns
	told    string // the same as read for this batch
}

// keptProject is a project without counts.
type keptProject struct {
	fields, types []byte
	changes       uint64 // number of changes shown when it was read
	at            time.Time
}

// Limits: up to 2 × keptCount projects, each for keptFor.
const (
	keptCount = 32
	keptSize  = 32 << 10 // size of one
	keptFor   = time.Second
)

// get returns the project, nil if it must be read.
func (k *keptProjects) get(id int64, now time.Time) *keptProject {
	if p, ok := k.recent.get(id); ok && p.changes == k.changes && now.Sub(p.at) <= keptFor {
		return p
	}
	return nil
}

// seen states that the transactions were visible when the projects of a batch were read.
func (k *keptProjects) seen(projects map[int64]*projectRead) {
	k.xids = k.xids[:0]
	for id, p := range projects {
		if k.stream != nil && p.kept != nil && len(p.kept.fields) <= keptSize {
			k.recent.put(id, p.kept)
		}
	}
}

// isOutdated reports whether the table's columns have changed, which the stream only
// shows with the next change. Then nothing is kept.
func (k *keptProjects) isOutdated() bool {
	outdated := k.columns != "" && k.told != k.columns
	if k.columns = k.told; outdated {
		k.forget()
	}
	return outdated
}

// projectColumn is the name of the column with the fingerprint of the columns of
// projects.
const projectColumn = "hooktail_project"

func (k *keptProjects) forget() {
	clear(k.recent.young)
	clear(k.recent.old)
}
