package mapping

import (
	"cmp"
	"slices"

	"github.com/hooktail/hooktail/cdc"
)

// fold combines the changes of one row in one part: its state before the first and after
// the last. A project with deleted_at set counts as missing.
type fold struct {
	shape                       *shape
	id                          int64
	project, task, organization int64 // 0: unknown

	existed, exists bool
	inserted        bool // one of the changes is an insert
	ended           bool // one of the changes deletes the row or sets deleted_at
	told            bool // one of the changes is an update that makes an event
	rearranged      bool // project: an update after which its tasks may be rearranged

	turned                      bool // task: is_labeled has changed
	turnedAt                    int  // ordinal of the last change of is_labeled
	touchedAt                   int  // ordinal of the first change
	insertedAt, toldAt, endedAt int  // ordinals of the changes that make an event; insertedAt: of the last insert

	image // last state; old is whole or empty: the source of TOASTed columns missing from row, or the deleted row
}

func (f *fold) created() bool { return f.inserted && !f.existed && f.exists }
func (f *fold) deleted() bool { return f.existed && !f.exists && f.ended }
func (f *fold) updated() bool { return f.exists && f.told && !f.created() }

// truncate makes an existing row one that has never existed, which has no event.
func (f *fold) truncate() {
	if f.exists {
		f.existed, f.exists, f.inserted, f.told, f.turned = false, false, false, false, false
	}
}

// restore makes an insert an update: an earlier part has deleted the row.
func (f *fold) restore() { f.existed, f.told, f.toldAt = true, true, f.insertedAt }

// at returns the ordinal of the change that makes the row's event, if there is one.
func (f *fold) at() int {
	switch {
	case f.created():
		return f.insertedAt
	case f.deleted():
		return f.endedAt
	case f.turned: // a task, whose updates make no other event
		return f.turnedAt
	case f.updated():
		return f.toldAt
	default:
		return f.touchedAt
	}
}

// folds are the rows of one part in the order of their first change, until they are
// sorted.
type folds struct {
	list  []fold
	index map[rowOf]int  // used for more than a few rows
	born  map[int64]bool // the new tasks; nil: not built yet
}

const few = 8

func (f *folds) reset() {
	if len(f.list) > few {
		clear(f.index)
	}
	clear(f.list) // releases the rows
	f.list, f.born = f.list[:0], nil
}

// of returns the fold of the row, a new one if the row has not changed before. It is
// valid until the next call.
func (f *folds) of(s *shape, id int64) (row *fold, first bool) {
	if len(f.list) <= few {
		for i := range f.list {
			if f.list[i].id == id && f.list[i].shape.table == s.table {
				return &f.list[i], false
			}
		}
	} else if i, ok := f.index[rowOf{s.table, id}]; ok {
		return &f.list[i], false
	}
	f.list = append(f.list, fold{shape: s, id: id})
	switch n := len(f.list); {
	case n == few+1:
		if f.index == nil {
			f.index = make(map[rowOf]int)
		}
		for i := range f.list {
			f.index[rowOf{f.list[i].shape.table, f.list[i].id}] = i
		}
	case n > few+1:
		f.index[rowOf{s.table, id}] = n - 1
	}
	return &f.list[len(f.list)-1], true
}

// creates reports whether the task was created in the part. Call it after all changes of
// the part are folded.
func (f *folds) creates(id int64) bool {
	if f.born == nil {
		f.born = make(map[int64]bool)
		for i := range f.list {
			if row := &f.list[i]; row.shape.table == task && row.created() {
				f.born[row.id] = true
			}
		}
	}
	return f.born[id]
}

// sort orders the rows by the changes that make their events. This order does not depend
// on how the transaction is split.
func (f *folds) sort() {
	for i := 1; i < len(f.list); i++ {
		if f.list[i-1].at() > f.list[i].at() {
			slices.SortFunc(f.list, func(a, b fold) int { return cmp.Compare(a.at(), b.at()) })
			return
		}
	}
}

func (m *Mapper) add(c *cdc.Change) {
	s, _ := m.shapeOf(c.Relation) // Events has looked at the error
	m.opts.Metrics.change(s.table, c.Op)
	if s.table == other {
		return
	}
	row := c.New
	switch c.Op {
	case cdc.Delete:
		row = c.Old
	case cdc.Truncate:
		m.opts.Log.Warn("table was truncated: TRUNCATE makes no events", "table", c.Relation.Schema+"."+c.Relation.Name)
		m.truncate(s.table)
		return
	}
	id, ok := number(row.Text(s.id))
	if !ok {
		if c.Op == cdc.Delete && row.Kind(s.id) != cdc.Text {
			m.tx.strays[s.table]++ // the replica identity lacks the id
		} else {
			m.stray.noID(s.table)
		}
		return
	}
	if was, ok := number(c.Old.Text(s.id)); ok && was != id && c.Op == cdc.Update { // the row has another id
		gone, there := *c, *c
		gone.Op, gone.New, there.Op = cdc.Delete, cdc.Tuple{}, cdc.Insert
		m.fold(s, was, &gone)
		c = &there
	}
	m.fold(s, id, c)
}

// fold adds a change to the state of its row.
func (m *Mapper) fold(s *shape, id int64, c *cdc.Change) {
	f, first := m.folds.of(s, id)
	before := m.learn(f, c)
	f.apply(c, s, first, before)
	switch {
	case m.opts.Settle <= 0:
	case s.table == task && c.Op == cdc.Delete:
		m.signs = append(m.signs, Sign{task: f.id, gone: true})
	case s.table == task && c.Op == cdc.Update:
		m.signs = append(m.signs, Sign{task: f.id, updatedAt: c.New.Text(s.updatedAt), updatedBy: ref(c.New, s.updatedBy)})
	case s.table == annotation && c.Op == cdc.Update && !before.told && m.alone && f.task != 0:
		m.signs = append(m.signs, Sign{task: f.task, begun: f.id})
	}
}

// truncate drops what waits to be told of the table's rows: they are gone, and those that
// the transaction inserted have never been there for others.
func (m *Mapper) truncate(t table) {
	for i := range m.folds.list {
		if f := &m.folds.list[i]; f.shape.table == t {
			f.truncate()
		}
	}
	switch t {
	case project:
		for i := range m.tx.projects {
			m.tx.projects[i].truncate()
		}
	case task:
		m.tx.tasksInserted.removeAll()
	case annotation:
		m.tx.annotationsInserted.removeAll()
	}
}

// past is what is known of a row before a change.
type past struct {
	alive bool // it existed
	told  bool // the change, if it is an update, makes an event
	ended bool // the change removes the row
	there bool // the row exists after the change
}

func (f *fold) apply(c *cdc.Change, s *shape, first bool, before past) {
	if first {
		f.existed, f.touchedAt = before.alive, c.Ordinal
	}
	f.exists = before.there
	if c.Op == cdc.Insert {
		f.insertedAt = c.Ordinal
		if f.ended && before.there { // deleted and inserted again
			before.told = true
		} else {
			f.inserted = true
		}
	}
	if before.told && !f.told {
		f.told, f.toldAt = true, c.Ordinal
	}
	if before.ended {
		f.ended, f.endedAt = true, c.Ordinal
	}
	old := cdc.Tuple{}
	if s.full() {
		old = c.Old
	}
	switch {
	case c.Op == cdc.Delete:
		f.row, f.old = cdc.Tuple{}, old
	case first || f.shape != s || f.row.IsZero() || !incomplete(c.New, old):
		f.row, f.old = c.New, old
	default:
		f.row, f.old = merge(c.New, f.row, f.old), cdc.Tuple{}
	}
	f.shape = s
}

// incomplete reports whether row has an unchanged TOASTed value that the old row lacks
// too.
func incomplete(row, old cdc.Tuple) bool {
	for i := range row.Len() {
		if row.Kind(i) == cdc.Unchanged && (i >= old.Len() || old.Kind(i) == cdc.Unchanged) {
			return true
		}
	}
	return false
}

// merge returns the new row, with unchanged values taken from the state before.
func merge(row, prior, old cdc.Tuple) cdc.Tuple {
	values := make([]cdc.Value, row.Len())
	for i := range values {
		from := row
		if from.Kind(i) == cdc.Unchanged && i < prior.Len() {
			from = prior
		}
		if from.Kind(i) == cdc.Unchanged && i < old.Len() {
			from = old
		}
		values[i] = cdc.Value{Kind: from.Kind(i), Text: from.Text(i)}
	}
	return cdc.MakeTuple(values...)
}
