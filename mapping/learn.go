package mapping

import (
	"cmp"

	"github.com/hooktail/hooktail/cdc"
)

// learn sets the project and organization of a change's row from its columns, its old row
// or the memory, and returns what is known of the row before the change. It stores what
// it learns in the memory.
func (m *Mapper) learn(f *fold, c *cdc.Change) past {
	switch f.shape.table {
	case project:
		return m.learnProject(f, c)
	case task:
		return m.learnTask(f, c)
	default:
		return m.learnAnnotation(f, c)
	}
}

func (m *Mapper) learnProject(f *fold, c *cdc.Change) past {
	s := f.shape
	memo, known := m.memory.projects.get(f.id)
	recent := known && memo.era == m.memory.era
	p := past{alive: c.Op != cdc.Insert}
	switch {
	case c.Op == cdc.Insert:
	case s.full() && !c.Old.IsZero():
		p.alive = c.Old.Kind(s.deletedAt) == cdc.Null
	case known && memo.markEra == m.memory.era:
		p.alive = !memo.deleted
	}
	p.there = c.Op != cdc.Delete && c.New.Kind(s.deletedAt) == cdc.Null
	p.ended = p.alive && !p.there || c.Op == cdc.Delete
	p.told = c.Op == cdc.Update && m.counts(s, c, memo.updatedAt, recent)

	since := m.commit
	if known && memo.markEra == m.memory.era && memo.deleted != p.there {
		since = memo.since
	}
	f.project = f.id
	f.organization = cmp.Or(ref(c.New, s.organization), ref(c.Old, s.organization), memo.organization)
	m.memory.projects.put(f.id, projectMemo{
		organization: f.organization,
		updatedAt:    m.memory.fingerprint(c.New.Text(s.updatedAt)),
		timeline:     m.branch,
		commit:       m.commit,
		since:        since,
		era:          m.memory.era,
		markEra:      m.memory.era,
		deleted:      !p.there,
		whole:        string(c.New.Text(s.cohort)) == "100",
	})
	f.rearranged = f.rearranged || c.Op == cdc.Update && s.rearranges(c)
	return p
}

// learnTask keeps a task's last project: the Data Manager clears project_id in a
// transaction of its own before it deletes the task.
func (m *Mapper) learnTask(f *fold, c *cdc.Change) past {
	s := f.shape
	f.task = f.id
	if now := cmp.Or(ref(c.New, s.project), ref(c.Old, s.project)); now != 0 {
		f.project = now
		if last, ok := m.memory.tasks.get(f.id); !ok || last != now {
			m.memory.tasks.put(f.id, now)
		}
	} else if f.project == 0 {
		f.project, _ = m.memory.tasks.get(f.id)
	}
	if c.Op == cdc.Update && s.full() && isTrue(c.Old, s.labeled) != isTrue(c.New, s.labeled) {
		f.turned, f.turnedAt = !f.turned, c.Ordinal
	}
	return rowPast(c)
}

func (m *Mapper) learnAnnotation(f *fold, c *cdc.Change) past {
	s, p := f.shape, rowPast(c)
	var memo annotationMemo
	recent := false
	if !s.full() { // otherwise an earlier state of the row is remembered at best
		memo, recent = m.memory.annotations.get(f.id)
		recent = recent && memo.era == m.memory.era
	}
	f.task = cmp.Or(ref(c.New, s.task), ref(c.Old, s.task), f.task, memo.task)
	f.project = cmp.Or(ref(c.New, s.project), ref(c.Old, s.project), f.project, memo.project)
	if f.project == 0 && f.task != 0 {
		f.project, _ = m.memory.tasks.get(f.task)
	}
	p.told = c.Op == cdc.Update && m.counts(s, c, memo.updatedAt, recent)
	if !s.full() {
		m.memory.annotations.put(f.id, annotationMemo{
			project: f.project, task: f.task,
			updatedAt: m.memory.fingerprint(c.New.Text(s.updatedAt)), era: m.memory.era,
		})
	}
	return p
}

func rowPast(c *cdc.Change) past {
	return past{alive: c.Op != cdc.Insert, there: c.Op != cdc.Delete, ended: c.Op == cdc.Delete}
}

// counts reports whether an update makes an event: updated_at moved (assumed if the row's
// earlier state is unknown), or, in the guide's profile, a telling column changed.
func (m *Mapper) counts(s *shape, c *cdc.Change, updatedAt uint64, known bool) bool {
	if s.updatedAt < 0 { // it is missing, and may have moved
		return true
	}
	if s.full() && !c.Old.IsZero() {
		return differs(c.Old, c.New, s.updatedAt) || m.opts.Profile == Guide && s.tells(c.Old, c.New)
	}
	return !known || m.memory.fingerprint(c.New.Text(s.updatedAt)) != updatedAt
}
