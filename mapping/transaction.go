package mapping

import "github.com/hooktail/hooktail/cdc"

// transaction is what a transaction's parts keep for its commit: ids, and, with several
// parts, rows up to keptBytes. Whether a deletion makes an event depends on what else the
// transaction does, before or after it.
type transaction struct {
	gone map[int64]struct{} // deleted projects: their content makes no events
	born map[int64]struct{} // inserted projects
	fed  map[int64]struct{} // projects into which tasks are inserted

	projects  []fold        // updated or deleted projects, in the order of their first entry
	projectAt map[int64]int // index in projects

	tasksInserted       ledger // only in the native profile, like the next two
	tasksDeleted        ledger
	annotationsInserted ledger
	annotationsDeleted  ledger

	strays [tables]int // deleted rows without known project and task
	left   int         // rest of keptBytes

	changes int    // so far
	number  uint64 // of the last message
}

// keptBytes bounds the rows that a transaction of several parts keeps; beyond it, only
// ids are kept.
const keptBytes = 1 << 20

func (t *transaction) reset(o Options) {
	if t.gone == nil {
		t.gone, t.born, t.fed, t.projectAt = map[int64]struct{}{}, map[int64]struct{}{}, map[int64]struct{}{}, map[int64]int{}
	}
	clear(t.gone)
	clear(t.born)
	clear(t.fed)
	clear(t.projectAt)
	t.projects, t.strays, t.left, t.changes, t.number = nil, [tables]int{}, keptBytes, 0, 0
	for _, l := range []*ledger{&t.tasksInserted, &t.tasksDeleted, &t.annotationsInserted, &t.annotationsDeleted} {
		if l.groups != nil || l.size == 0 {
			*l = ledger{size: o.BatchSize}
		}
	}
	if o.Profile == Native {
		for _, l := range []*ledger{&t.tasksInserted, &t.annotationsInserted} {
			if l.index == nil {
				l.index = map[int64]place{}
			}
		}
	}
}

// hides reports whether the part of the transaction read so far deletes the project.
func (t *transaction) hides(project int64) bool {
	_, gone := t.gone[project]
	return gone
}

// keep returns what may be kept of a row until the commit: all of it if the part is the
// whole transaction, otherwise a copy that does not hold the part, or nothing.
func (t *transaction) keep(part *cdc.Part, i image) image {
	if part.First && part.Last {
		return i
	}
	size := i.row.Size() + i.old.Size()
	if size > t.left {
		t.left = 0 // kept rows come first
		return image{}
	}
	t.left -= size
	return image{clone(i.row), clone(i.old)}
}

func clone(row cdc.Tuple) cdc.Tuple {
	if row.IsZero() {
		return row
	}
	return merge(row, cdc.Tuple{}, cdc.Tuple{})
}

// enter adds the row to a list of waiting rows.
func (t *transaction) enter(l *ledger, f *fold, ordinal int, predicted bool, kept image) {
	if !l.add(f, ordinal, predicted, kept) {
		t.strays[f.shape.table]++
	}
}

// enterProject records what happened to a project: its deletion, or its last state with
// the ordinal of its first update. An update of a project inserted in an earlier part
// belongs to its creation.
func (t *transaction) enterProject(part *cdc.Part, f *fold) {
	if _, born := t.born[f.id]; born && !f.deleted() {
		return
	}
	entry := *f
	kept := t.keep(part, image{f.row, f.old})
	entry.row, entry.old = kept.row, kept.old
	at, again := t.projectAt[f.id]
	if !again {
		t.projectAt[f.id] = len(t.projects)
		t.projects = append(t.projects, entry)
		return
	}
	if !entry.deleted() && t.projects[at].updated() {
		entry.toldAt = t.projects[at].toldAt
	}
	t.projects[at] = entry
}

// ofCommit makes the events that have waited for the commit.
func (m *Mapper) ofCommit(part *cdc.Part, dst []*Event) []*Event {
	t := &m.tx
	for i := range t.projects {
		f := &t.projects[i]
		_, fed := t.fed[f.id]
		switch {
		case f.deleted():
			dst = m.one(part, ProjectDeleted, f, f.endedAt, dst)
		case !fed && !t.hides(f.id):
			dst = m.one(part, ProjectUpdated, f, f.toldAt, dst)
		}
	}
	var inserted, deleted map[int64]struct{} // tasks whose annotations make no events of their own
	if len(t.annotationsInserted.groups) > 0 {
		inserted = t.tasksInserted.ids()
	}
	if len(t.annotationsDeleted.groups) > 0 {
		deleted = t.tasksDeleted.ids()
	}
	none := func(member) bool { return false }
	of := func(tasks map[int64]struct{}) func(member) bool {
		return func(m member) bool { _, ok := tasks[m.task]; return ok }
	}
	dst = m.ofLedger(part, TasksCreated, &t.tasksInserted, none, dst)
	dst = m.ofLedger(part, TasksDeleted, &t.tasksDeleted, none, dst)
	dst = m.ofLedger(part, AnnotationsCreated, &t.annotationsInserted, of(inserted), dst)
	dst = m.ofLedger(part, AnnotationsDeleted, &t.annotationsDeleted, of(deleted), dst)
	if len(t.gone) == 0 { // otherwise strays count as deleted with their project
		for of := range t.strays {
			for range t.strays[of] {
				m.stray.count(table(of), true)
			}
		}
	}
	return dst
}

// ofLedger makes one event from each group.
func (m *Mapper) ofLedger(part *cdc.Part, action Action, l *ledger, hidden func(member) bool, dst []*Event) []*Event {
	for _, g := range l.groups {
		if m.hides(g.project) || g.project == 0 && len(m.tx.gone) > 0 {
			continue
		}
		g.strike(hidden)
		if len(g.members) == 0 {
			continue
		}
		first := g.members[0]
		e := m.event(part, action, g.project, int(first.ordinal))
		e.Task = g.oneTask()
		e.ending = map[Action]ending{TasksCreated: atOnce, AnnotationsDeleted: removed, AnnotationsCreated: listed}[action]
		if in, _ := m.memory.projects.get(g.project); in.whole { // no other task follows
			switch action {
			case TasksDeleted:
				e.ending = atOnce
			case AnnotationsDeleted:
				e.ending = erased
			}
		}
		e.subject = subject{relation: g.relation, group: g}
		if action == AnnotationsCreated && len(g.members) == 1 && !first.predicted {
			e.Action = AnnotationCreated
			e.subject = subject{relation: g.relation, id: first.id}
			if len(g.rows) > 0 {
				e.subject.image = g.rows[0]
			}
			if s, err := m.shapeOf(g.relation); err == nil {
				e.ending = endingOfAnnotation(true, e.subject.image, s)
			}
		}
		dst = append(dst, e)
	}
	return dst
}
