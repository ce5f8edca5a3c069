package mapping

import (
	"cmp"
	"slices"

	"github.com/hooktail/hooktail/cdc"
)

// Orphans holds events whose project was deleted before they were read, in order. They
// wait until the stream shows the deletion, whose old row contains the project's
// organization. Copies of their rows take at most half of the bound; beyond that the rows
// are dropped, and an event only has the id of its row.
//
// Orphans is not safe for concurrent use.
type Orphans[T any] struct {
	limit   int // bytes
	used    int
	waiting map[int64]*orphaned[T] // by project
}

type orphaned[T any] struct {
	until  cdc.LSN // the deletion is at or before this position
	events []orphan[T]
}

type orphan[T any] struct {
	event *Event
	item  T
}

// NewOrphans returns Orphans bounded to limit bytes.
func NewOrphans[T any](limit int) *Orphans[T] {
	return &Orphans[T]{limit: limit, waiting: map[int64]*orphaned[T]{}}
}

// Len returns the number of projects with waiting events.
func (o *Orphans[T]) Len() int { return len(o.waiting) }

// Hold keeps the event and its item until the stream has been read up to until. It
// reports whether there was room. Afterwards the event does not hold its part.
func (o *Orphans[T]) Hold(e *Event, until cdc.LSN, item T) bool {
	e.subject.detach(o.used+e.Bytes() <= o.limit/2 || e.Action.IsCustom()) // a message cannot be read again
	size := e.Bytes()
	if o.used+size > o.limit {
		return false
	}
	o.used += size
	of := o.waiting[e.Project]
	if of == nil {
		of = &orphaned[T]{}
		o.waiting[e.Project] = of
	}
	of.until = max(of.until, until)
	of.events = append(of.events, orphan[T]{e, item})
	return true
}

// Take ends the wait of the projects whose organization the stream has shown, and of
// those whose deletion must have come before read, the position up to which the stream
// was read. It calls do for each of their events, in order of their ids, with the
// organization set if it is known.
func (o *Orphans[T]) Take(read cdc.LSN, organization func(project int64) int64, do func(*Event, T)) {
	var free []orphan[T]
	for project, of := range o.waiting {
		belongs := organization(project)
		if belongs == 0 && read < of.until {
			continue
		}
		for _, one := range of.events {
			one.event.Organization = belongs
			o.used -= one.event.Bytes()
		}
		free = append(free, of.events...)
		delete(o.waiting, project)
	}
	slices.SortFunc(free, func(a, b orphan[T]) int { return a.event.compare(b.event) })
	for _, one := range free {
		do(one.event, one.item)
	}
}

// compare orders events of one timeline as in the stream.
func (e *Event) compare(other *Event) int {
	return cmp.Or(cmp.Compare(e.ID.Commit, other.ID.Commit), cmp.Compare(e.ID.Ordinal, other.ID.Ordinal))
}

// detach copies the rows, so that they do not hold their part, or drops them.
func (s *subject) detach(keep bool) {
	if !keep {
		s.image = image{}
		if s.group != nil {
			s.group.rows = nil
		}
		return
	}
	s.image = image{clone(s.image.row), clone(s.image.old)}
	if s.group != nil {
		for i, kept := range s.group.rows {
			s.group.rows[i] = image{clone(kept.row), clone(kept.old)}
		}
	}
}

// OrganizationOf returns the organization of a project as far as the stream has shown it;
// 0: unknown.
func (m *Mapper) OrganizationOf(project int64) int64 {
	known, _ := m.memory.projects.get(project)
	return known.organization
}
