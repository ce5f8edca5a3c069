package mapping

import "container/heap"

// line holds waiting events, each behind the earlier ones of its task and of its whole
// project. It does not know the time; its heap contains the free ones, the first due on
// top.
type line[T any] struct {
	projects map[int64]*projectLine[T]
	free     dueHeap[T]
	size     int
}

// projectLine holds the latest events of a project, for which later ones wait.
type projectLine[T any] struct {
	whole *settling[T]           // latest event of the whole project; nil: it has left
	tasks map[int64]*settling[T] // latest events since whole, by task
}

func (l *line[T]) add(it *settling[T]) {
	l.size++
	p := l.projects[it.event.Project]
	if p == nil {
		p = &projectLine[T]{tasks: map[int64]*settling[T]{}}
		l.projects[it.event.Project] = p
	}
	before := p.tasks[it.event.Task]
	switch {
	case it.event.Task == 0 && len(p.tasks) > 0:
		for _, latest := range p.tasks {
			it.follow(latest)
		}
	case before != nil:
		it.follow(before)
	case p.whole != nil:
		it.follow(p.whole)
	}
	if it.event.Task == 0 {
		p.whole = it
		clear(p.tasks)
	} else {
		p.tasks[it.event.Task] = it
	}
	if it.ahead == 0 {
		heap.Push(&l.free, it)
	}
}

func (s *settling[T]) follow(before *settling[T]) {
	s.ahead++
	before.behind = append(before.behind, s)
}

// first returns the free event that is due first, nil if there is none.
func (l *line[T]) first() *settling[T] {
	if len(l.free) == 0 {
		return nil
	}
	return l.free[0]
}

// hasten moves an event that has become due earlier.
func (l *line[T]) hasten(it *settling[T]) {
	if it.at >= 0 {
		heap.Fix(&l.free, it.at)
	}
}

// remove removes a free event, and frees those that only waited for it.
func (l *line[T]) remove(it *settling[T]) {
	heap.Remove(&l.free, it.at)
	l.size--
	for _, next := range it.behind {
		if next.ahead--; next.ahead == 0 {
			heap.Push(&l.free, next)
		}
	}
	it.behind = nil
	p := l.projects[it.event.Project]
	if p.whole == it {
		p.whole = nil
	}
	if p.tasks[it.event.Task] == it {
		delete(p.tasks, it.event.Task)
	}
	if p.whole == nil && len(p.tasks) == 0 {
		delete(l.projects, it.event.Project)
	}
}

// dueHeap implements heap.Interface, ordered by time and then by the order of adding.
type dueHeap[T any] []*settling[T]

func (h dueHeap[T]) Len() int { return len(h) }

func (h dueHeap[T]) Less(i, j int) bool {
	if !h[i].due.Equal(h[j].due) {
		return h[i].due.Before(h[j].due)
	}
	return h[i].number < h[j].number
}

func (h dueHeap[T]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push implements heap.Interface.
func (h *dueHeap[T]) Push(x any) {
	it := x.(*settling[T])
	it.at = len(*h)
	*h = append(*h, it)
}

// Pop implements heap.Interface.
func (h *dueHeap[T]) Pop() any {
	old := *h
	it := old[len(old)-1]
	old[len(old)-1], it.at = nil, -1
	*h = old[:len(old)-1]
	return it
}
