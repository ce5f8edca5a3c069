package mapping

import "github.com/hooktail/hooktail/cdc"

// ledger lists rows that wait for the commit, by project and in the order of their
// changes, in groups of one event's size. It stores ids: 24 bytes per row.
type ledger struct {
	size   int
	groups []*group
	open   map[owner]*group
	index  map[int64]place // nil: not needed so far
}

// owner is common to the rows of a group: the project, or, if that is unknown, the task.
type owner struct{ project, task int64 }

// group is the rows of one event.
type group struct {
	owner
	shape   *shape
	members []member
	rows    []image // rows of the first members, as many as could be kept
}

type member struct {
	id, task  int64
	ordinal   uint32
	predicted bool // an annotation created from a prediction
	removed   bool // deleted by the same transaction
}

// image is the known part of a row.
type image struct{ row, old cdc.Tuple }

type place struct {
	group  *group
	member int
}

func (l *ledger) has(id int64) bool {
	_, ok := l.index[id]
	return ok
}

// find builds the index of a list whose entries hardly ever change.
func (l *ledger) find() *ledger {
	if l.index == nil && len(l.groups) > 0 {
		l.index = make(map[int64]place)
		for _, g := range l.groups {
			for i := range g.members {
				l.index[g.members[i].id] = place{g, i}
			}
		}
	}
	return l
}

// replace updates the state of an entered row.
func (l *ledger) replace(f *fold, kept image) {
	at := l.index[f.id]
	if at.member >= len(at.group.rows) {
		return
	}
	if at.group.shape.relation != f.shape.relation { // altered in between: must be read
		kept = image{}
	}
	at.group.rows[at.member] = kept
}

// remove removes a row, and reports whether it was entered.
func (l *ledger) remove(id int64) bool {
	at, ok := l.index[id]
	if ok {
		at.group.members[at.member].removed = true
		delete(l.index, id)
	}
	return ok
}

// removeAll removes all rows.
func (l *ledger) removeAll() {
	for id := range l.index {
		l.remove(id)
	}
}

func (l *ledger) ids() map[int64]struct{} {
	all := make(map[int64]struct{})
	for _, g := range l.groups {
		for _, member := range g.members {
			if !member.removed {
				all[member.id] = struct{}{}
			}
		}
	}
	return all
}

// strike drops members that were removed, or whose task makes the event.
func (g *group) strike(tasks map[int64]struct{}) {
	members, rows := g.members[:0], g.rows[:0]
	for i, member := range g.members {
		if _, hidden := tasks[member.task]; hidden || member.removed {
			continue
		}
		members = append(members, member)
		if i < len(g.rows) {
			rows = append(rows, g.rows[i])
		}
	}
	g.members, g.rows = members, rows
}

// oneTask returns the task of all members, 0 if they have several.
func (g *group) oneTask() int64 {
	for _, member := range g.members {
		if member.task != g.members[0].task {
			return 0
		}
	}
	return g.members[0].task
}

func (g *group) bytes() int {
	n := 64 + 24*len(g.members)
	for _, kept := range g.rows {
		n += kept.row.Size() + kept.old.Size()
	}
	return n
}
