package mapping

import (
	"cmp"
	"slices"

	"github.com/hooktail/hooktail/cdc"
)

// Orphans are events whose project was deleted before they were read, in order, until
// the stream brings the deletion, whose old row says to which organization the project
// belonged. They hold on to copies of their rows, at most half of their bound; beyond
// that the rows are let go, and the event tells of its row by its id alone.
//
// An Orphans serves one goroutine.
type Orphans[T any] struct {
	limit   int // bytes
	used    int
	waiting map[int64]*orphaned[T] // by project
}

type orphaned[T any] struct {
	until  cdc.LSN // no later than this the stream brings the deletion
	events []orphan[T]
	bytes  int
}

type orphan[T any] struct {
	event *Event
	item  T
}

// NewOrphans holds events of that many bytes.
func NewOrphans[T any](limit int) *Orphans[T] {
	return &Orphans[T]{limit: limit, waiting: map[int64]*orphaned[T]{}}
}

// Len is how many projects have events that wait.
func (o *Orphans[T]) Len() int { return len(o.waiting) }

// Hold keeps the event, with what belongs to it, until the stream has brought what is
// before until. It reports whether there was room. The event does not hold on to its
// part afterwards.
func (o *Orphans[T]) Hold(e *Event, until cdc.LSN, item T) bool {
	if size := e.Bytes(); o.used+size > o.limit/2 && !e.Action.IsCustom() { // a message cannot be read again
		e.subject.forget()
	}
	e.subject.detach()
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
	of.bytes += size
	of.events = append(of.events, orphan[T]{e, item})
	return true
}

// Take ends the wait of the projects whose organization the stream has shown by now,
// and of those whose deletion would have come by read, the position up to which it has
// been read. It calls do for each of their events, in the order of their ids, with the
// organization set where it is known.
func (o *Orphans[T]) Take(read cdc.LSN, organization func(project int64) int64, do func(*Event, T)) {
	var free []orphan[T]
	for project, of := range o.waiting {
		belongs := organization(project)
		if belongs == 0 && read < of.until {
			continue
		}
		for _, one := range of.events {
			one.event.Organization = belongs
		}
		free = append(free, of.events...)
		o.used -= of.bytes
		delete(o.waiting, project)
	}
	slices.SortFunc(free, func(a, b orphan[T]) int { return a.event.ID.compare(b.event.ID) })
	for _, one := range free {
		do(one.event, one.item)
	}
}

// compare orders the ids of one timeline as the stream brings them.
func (id ID) compare(other ID) int {
	return cmp.Or(cmp.Compare(id.Commit, other.Commit), cmp.Compare(id.Ordinal, other.Ordinal))
}

// forget lets the rows go, but for their ids.
func (s *subject) forget() {
	s.image = image{}
	if s.group != nil {
		s.group.rows = nil
	}
}

// detach copies the rows, so that they do not hold on to the part that they came with.
func (s *subject) detach() {
	s.image = image{clone(s.image.row), clone(s.image.old)}
	if s.group == nil {
		return
	}
	for i, kept := range s.group.rows {
		s.group.rows[i] = image{clone(kept.row), clone(kept.old)}
	}
}

// OrganizationOf is the organization of a project as far as the stream has shown it; 0:
// it has not.
func (m *Mapper) OrganizationOf(project int64) int64 {
	known, _ := m.memory.projects.get(project)
	return known.organization
}
