package mapping

import "github.com/hooktail/hooktail/cdc"

// transaction is what a transaction's parts keep for its commit: ids, and, with several
// parts, rows up to keptBytes. Whether a deletion makes an event depends on what else the
// transaction does, before or after it.
type transaction struct {
	gone map[int64]int  // deleted projects, with the ordinals of their deletions: their content makes no events
	born map[int64]bool // inserted projects
	fed  map[int64]bool // projects into which tasks are inserted

	projects  []fold        // updated or deleted projects, in the order of their first entry
	projectAt map[int64]int // index in projects

	tasksInserted       ledger // only in the native profile, like the next two
	tasksDeleted        ledger
	annotationsInserted ledger
	annotationsDeleted  ledger

	tasksRemoved idBits // in the guide's profile, where their deletion is no event

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
		t.gone, t.born, t.fed, t.projectAt = map[int64]int{}, map[int64]bool{}, map[int64]bool{}, map[int64]int{}
	}
	clear(t.gone)
	clear(t.born)
	clear(t.fed)
	clear(t.projectAt)
	t.tasksRemoved = nil
	t.projects, t.strays, t.left, t.changes, t.number = nil, [tables]int{}, keptBytes, 0, 0
	for _, l := range []*ledger{&t.tasksInserted, &t.tasksDeleted, &t.annotationsInserted, &t.annotationsDeleted} {
		if l.groups != nil || l.size == 0 {
			*l = ledger{size: o.BatchSize}
		}
	}
	for _, l := range []*ledger{&t.tasksInserted, &t.annotationsInserted} {
		if l.index == nil {
			l.index = map[int64]place{}
		}
	}
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

// enter adds the row to a list of waiting rows. A row without project and task is counted
// instead.
func (t *transaction) enter(l *ledger, f *fold, kept image) {
	of := owner{project: f.project}
	if f.project == 0 {
		of.task = f.task
	}
	if of == (owner{}) {
		t.strays[f.shape.table]++
		return
	}
	g := l.open[of]
	if g == nil || len(g.members) == l.size {
		g = &group{owner: of, shape: f.shape}
		if l.open == nil {
			l.open = make(map[owner]*group)
		}
		l.open[of] = g
		l.groups = append(l.groups, g)
	}
	if l.index != nil {
		l.index[f.id] = place{g, len(g.members)}
	}
	known := !kept.row.IsZero() || !kept.old.IsZero()
	if known && len(g.rows) == len(g.members) && g.shape.relation == f.shape.relation {
		g.rows = append(g.rows, kept)
	}
	predicted := f.row.Kind(f.shape.parentPrediction) == cdc.Text && f.row.Kind(f.shape.updatedBy) == cdc.Null
	g.members = append(g.members, member{id: f.id, task: f.task, ordinal: uint32(f.at()), predicted: predicted})
}

// amend updates the state of an entered row, and its project and task if they have changed.
func (t *transaction) amend(l *ledger, f *fold, kept image) {
	at := l.index[f.id]
	entered := at.group.members[at.member]
	if f.project == 0 || f.project == at.group.project && f.task == entered.task {
		l.replace(f, kept)
		return
	}
	l.remove(f.id)
	moved := *f
	moved.existed, moved.inserted, moved.insertedAt = false, true, int(entered.ordinal)
	t.enter(l, &moved, kept)
}

// enterProject records what happened to a project: its deletion, or its last state with
// the ordinal of its first update. An update of a project inserted in an earlier part
// belongs to its creation.
func (t *transaction) enterProject(part *cdc.Part, f *fold) {
	if t.born[f.id] && !f.deleted() {
		return
	}
	entry := *f
	entry.image = t.keep(part, f.image)
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

// hasDeleted reports whether an earlier part has deleted the project.
func (t *transaction) hasDeleted(project int64) bool {
	at, ok := t.projectAt[project]
	return ok && t.projects[at].deleted()
}

func (t *transaction) hasGone(project int64) bool {
	_, gone := t.gone[project]
	return gone
}

// ofCommit makes the events that have waited for the commit.
func (m *Mapper) ofCommit(part *cdc.Part, dst []*Event) []*Event {
	t := &m.tx
	for i := range t.projects {
		switch f := &t.projects[i]; {
		case f.deleted():
			dst = m.one(part, ProjectDeleted, f, dst)
		case f.updated() && !t.fed[f.id] && !t.hasGone(f.id):
			dst = m.one(part, ProjectUpdated, f, dst)
		}
	}
	dst = m.ofLedger(part, TasksCreated, &t.tasksInserted, nil, dst)
	dst = m.ofLedger(part, TasksDeleted, &t.tasksDeleted, nil, dst)
	dst = m.ofLedger(part, AnnotationsCreated, &t.annotationsInserted, &t.tasksInserted, dst)
	dst = m.ofLedger(part, AnnotationsDeleted, &t.annotationsDeleted, &t.tasksDeleted, dst)
	if len(t.gone) == 0 { // otherwise strays count as deleted with their project
		for of, n := range t.strays {
			for range n {
				m.stray.count(table(of), true)
			}
		}
	}
	return dst
}

// ofLedger makes one event from each group. Annotations of the given tasks make none.
func (m *Mapper) ofLedger(part *cdc.Part, action Action, l, tasks *ledger, dst []*Event) []*Event {
	var hidden map[int64]struct{}
	if tasks != nil && len(l.groups) > 0 {
		hidden = tasks.ids()
	}
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
		in, _ := m.memory.projects.get(g.project)
		switch {
		case action == TasksCreated, action == TasksDeleted && in.whole: // no other task follows
			e.ending = atOnce
		case action == AnnotationsDeleted && in.whole:
			e.ending = erased
		case action == AnnotationsDeleted:
			e.ending = removed
		case action == AnnotationsCreated:
			e.ending = listed
		}
		e.subject = subject{relation: g.shape.relation, group: g}
		if action == AnnotationsCreated && len(g.members) == 1 && !first.predicted {
			e.Action = AnnotationCreated
			e.subject = subject{relation: g.shape.relation, id: first.id, image: g.image(0)}
			e.ending = endingOfAnnotation(true, e.subject.image, g.shape)
		}
		dst = append(dst, e)
	}
	return dst
}
