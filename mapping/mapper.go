package mapping

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/hooktail/hooktail/cdc"
)

// Mapper makes events from row changes by the rules of its profile. It holds the state of
// one stream and does no I/O: the same parts always make the same events with the same
// ids.
//
// Its memory of earlier transactions serves deleted rows that do not contain their
// project, and updates without the old row. With a full replica identity it is hardly
// needed.
type Mapper struct {
	opts   Options
	shapes map[*cdc.Relation]*shape
	latest *shape // of the previous change, and usually also of the next
	memory memory
	folds  folds
	tx     transaction
	commit cdc.LSN // last part
	branch int32   // its timeline
	stray  strays

	keys   *Keys // keys that prove messages; nil: unknown
	asked  bool  // newer keys were requested, for the next part
	forged int   // unproven messages

	tolerant bool // a missing column is not an error
	signs    []Sign
	alone    bool // the part is one small transaction, as a single user makes
}

// NewMapper returns a Mapper for a new stream.
func NewMapper(o Options) *Mapper {
	o = o.withDefaults()
	m := &Mapper{
		opts:   o,
		shapes: map[*cdc.Relation]*shape{},
		memory: memory{
			seed:        maphash.MakeSeed(),
			projects:    newRecent[projectMemo](remembered / 8),
			tasks:       newOwners(remembered / 2),
			annotations: newRecent[annotationMemo](remembered),
		},
		stray: strays{opts: o},
	}
	m.tx.reset(o)
	return m
}

// Events appends the events of a part to dst: at most one per row, in the order
// of the changes that make them, followed in the last part of a transaction by
// those that had to wait for the commit. Until they are rendered, they hold their
// rows of the part.
//
// A *MissingColumnError states that a table lacked a required column when
// the transaction committed. Then no event was made, and Events may be called
// again with the part, after Tolerate. The same holds for ErrUnproven and Trust.
func (m *Mapper) Events(part *cdc.Part, dst []*Event) ([]*Event, error) {
	projects := false
	for i := range part.Changes {
		c := &part.Changes[i]
		s, err := m.shapeOf(c.Relation)
		if err != nil {
			return dst, fmt.Errorf("map transaction %s: %w", part.Commit, err)
		}
		projects = projects || s.table == project
		if c.Op == cdc.Message && !m.asked {
			if _, ok := m.keys.prove(part.XID, c.New.Text(0)); !ok {
				return dst, fmt.Errorf("map transaction %s: %w", part.Commit, ErrUnproven)
			}
		}
	}
	if projects {
		m.opts.Projects.changed(part.XID)
	}
	if part.First {
		m.tx.reset(m.opts)
		if part.Commit <= m.commit || part.Timeline != m.branch { // read again, or not written there: the memory is ahead
			m.memory.reread(part.Timeline, part.Commit)
		}
	}
	m.commit, m.branch = part.Commit, part.Timeline
	clear(m.signs)
	m.signs = m.signs[:0]
	m.alone = part.First && part.Last && len(part.Changes) <= few
	defer m.folds.reset()
	from := len(dst)
	for i := range part.Changes {
		c := &part.Changes[i]
		m.tx.changes = c.Ordinal + 1
		if c.Op == cdc.Message {
			dst = m.ofMessage(part, c, dst)
		} else {
			m.add(c)
		}
	}
	m.folds.sort()
	messages := len(dst) - from
	dst = m.ofRows(part, dst)
	if messages > 0 {
		slices.SortFunc(dst[from:], (*Event).compare)
	}
	m.asked = false
	if part.Last {
		waited := len(dst)
		dst = m.ofCommit(part, dst)
		slices.SortStableFunc(dst[waited:], (*Event).compare)
		// Their ids also sort after all others. One change of a primary key makes two: the
		// later one comes last.
		last := -1
		for _, e := range dst[waited:] {
			if e.ID.Ordinal == last {
				e.ID.Ordinal += m.tx.changes
			} else {
				last = e.ID.Ordinal
			}
			e.ID.Ordinal += m.tx.changes
		}
		slices.SortFunc(dst[waited:], (*Event).compare)
		m.tx.reset(m.opts)
	}
	for _, e := range dst[from:] {
		m.opts.Metrics.of(e.Action).Inc()
	}
	return dst, nil
}

// Signs returns the updates and deletions of tasks in the last part, for Settler.See.
// They are valid until the next part.
func (m *Mapper) Signs() []Sign { return m.signs }

// Tolerate lets the mapper map rows that lack required columns by the columns they have:
// a migration that removes a column temporarily restores it in the table, but not in the
// changes committed meanwhile.
func (m *Mapper) Tolerate() { m.tolerant = true }

func (m *Mapper) shapeOf(rel *cdc.Relation) (*shape, error) {
	if m.latest != nil && m.latest.relation == rel {
		return m.latest, nil
	}
	s, ok := m.shapes[rel]
	if !ok {
		var err error
		if s, err = newShape(rel, m.opts.Tables); err != nil && !m.tolerant {
			return nil, err
		}
		if len(m.shapes) >= relations { // includes those from before many reconnects
			clear(m.shapes)
		}
		m.shapes[rel] = s
	}
	m.latest = s
	return s, nil
}

// relations bounds the descriptions of tables that are kept.
const relations = 64

// ofRows makes the events that need not wait for the commit, and adds the rest to the
// transaction.
func (m *Mapper) ofRows(part *cdc.Part, dst []*Event) []*Event {
	for i := range m.folds.list {
		switch f := &m.folds.list[i]; {
		case f.shape.table != project:
		case f.exists: // perhaps inserted again
			delete(m.tx.gone, f.id)
		case f.ended:
			m.tx.gone[f.id] = f.endedAt
		}
	}
	for i := range m.folds.list {
		switch f := &m.folds.list[i]; {
		case f.shape.table == project:
			dst = m.ofProject(part, f, dst)
		case m.hides(f.project) && !f.deleted() && !m.returns(f): // whether deletions are hidden, the commit shows
		case f.shape.table == task:
			dst = m.ofTask(part, f, dst)
		default:
			dst = m.ofAnnotation(part, f, dst)
		}
	}
	return dst
}

// hides reports whether the project is deleted: by this transaction, or marked as deleted
// by an earlier one. Its content is then deleted with it, also if that happens much later
// and in transactions of its own.
func (m *Mapper) hides(project int64) bool {
	memo, known := m.memory.projects.get(project)
	return m.tx.hasGone(project) || known && memo.deleted && memo.markEra == m.memory.era
}

// returns reports whether the row was inserted after its project had been deleted by the
// same transaction, which will insert the project again.
func (m *Mapper) returns(f *fold) bool {
	at, gone := m.tx.gone[f.project]
	return gone && f.exists && f.insertedAt > at
}

func (m *Mapper) ofProject(part *cdc.Part, f *fold, dst []*Event) []*Event {
	switch {
	case f.created() && m.tx.hasDeleted(f.id):
		delete(m.tx.born, f.id)
		f.restore()
		m.tx.enterProject(part, f)
	case f.created():
		m.tx.born[f.id] = true
		return m.one(part, ProjectCreated, f, dst)
	case f.deleted(), f.updated():
		m.tx.enterProject(part, f)
	}
	return dst
}

func (m *Mapper) ofTask(part *cdc.Part, f *fold, dst []*Event) []*Event {
	native := m.opts.Profile == Native
	switch {
	case f.created() && (m.tx.tasksRemoved.remove(f.id) || !part.First && m.tx.tasksDeleted.find().remove(f.id)): // restored: an update
	case f.created():
		m.tx.fed[f.project] = true
		if !native {
			return m.one(part, TaskCreated, f, dst)
		}
		m.tx.enter(&m.tx.tasksInserted, f, image{})
	case f.deleted() && native:
		switch {
		case m.tx.tasksInserted.remove(f.id):
		case f.project == 0: // too late for a lookup
			m.tx.strays[task]++
		default:
			m.tx.enter(&m.tx.tasksDeleted, f, image{})
		}
	case f.deleted():
		if !part.Last {
			m.tx.tasksRemoved.add(f.id)
		}
	case f.exists && m.tx.tasksInserted.has(f.id):
		m.tx.amend(&m.tx.tasksInserted, f, image{})
	case f.exists && f.turned:
		action := TaskReopened
		if isTrue(f.row, f.shape.labeled) {
			action = TaskCompleted
		}
		if m.opts.Wanted != nil && m.opts.Wanted(action) {
			return m.one(part, action, f, dst)
		}
	}
	return dst
}

func (m *Mapper) ofAnnotation(part *cdc.Part, f *fold, dst []*Event) []*Event {
	native := m.opts.Profile == Native
	if !part.First && f.created() && m.tx.annotationsDeleted.find().remove(f.id) {
		f.restore()
	}
	switch {
	case f.deleted():
		switch {
		case m.tx.annotationsInserted.remove(f.id):
		case m.opts.DeletedRows:
			m.tx.enter(&m.tx.annotationsDeleted, f, m.tx.keep(part, image{old: f.old}))
		default:
			m.tx.enter(&m.tx.annotationsDeleted, f, image{})
		}
	case f.created() && native:
		m.tx.enter(&m.tx.annotationsInserted, f, m.tx.keep(part, f.image))
	case f.created() && isTrue(f.row, f.shape.wasCancelled): // the guide: a skip is an update
		return m.one(part, AnnotationUpdated, f, dst)
	case f.created():
		return m.one(part, AnnotationCreated, f, dst)
	case f.exists && m.tx.annotationsInserted.has(f.id):
		m.tx.amend(&m.tx.annotationsInserted, f, m.tx.keep(part, f.image))
	case f.updated():
		return m.one(part, AnnotationUpdated, f, dst)
	}
	return dst
}

// one appends the event of the fold's row. A row without project and task is counted
// instead.
func (m *Mapper) one(part *cdc.Part, action Action, f *fold, dst []*Event) []*Event {
	if f.project == 0 && f.task == 0 {
		m.stray.count(f.shape.table, false)
		return dst
	}
	e := m.event(part, action, f.project, f.at())
	e.Task, e.Organization = f.task, cmp.Or(f.organization, e.Organization)
	e.ending = endingOf(action, f)
	if f.shape.table == annotation && f.created() && m.folds.creates(f.task) {
		e.ending = atOnce // imported with its task
	}
	e.subject = subject{relation: f.shape.relation, id: f.id, image: f.image}
	return append(dst, e)
}

func (m *Mapper) event(part *cdc.Part, action Action, project int64, ordinal int) *Event {
	e := &Event{
		ID:        ID{Timeline: part.Timeline, Commit: part.Commit, Ordinal: ordinal},
		Action:    action,
		Committed: part.Time,
		Received:  part.Received,
		Age:       part.Age,
		Project:   project,
	}
	if memo, ok := m.memory.projects.get(project); ok {
		e.Organization = memo.organization
	}
	return e
}
