package dispatch

import "iter"

// stage is the stage of an item in its schedule.
type stage uint8

const (
	behind  stage = iota // an earlier one must be done first
	ready                // may go
	running              // handed out by next or take
	waiting              // held back after running
)

// schedule decides which deliveries of a lane may go: those of one task one at a time, in
// the order they were added; one of a whole project (Task 0) after all earlier ones of
// the project and before all later ones. Projects do not wait for each other. It does not
// depend on time or goroutines; the zero value is empty.
//
// An item goes behind → ready → running → done, or from running through waiting back to
// ready. One that is refused repeatedly can be held: then its project no longer waits for
// it and the later items of its task, and it proceeds separately. When it is done, those
// later items take their places again.
type schedule struct {
	projects map[int64]*project
	spare    *project // an empty one for reuse
	queue    fifo     // ready, in the order of becoming so
	oldest   *item    // all items, in the order of adding
	newest   *item
	size     int
	moved    bool // waiting items may now be behind
}

// project is the part of a schedule for one project: items that may go up to the first
// barrier, and all from the barrier on.
type project struct {
	last  map[int64]*item // last item before the barrier, by task
	open  int             // unfinished items before the barrier
	first *item           // the barrier, and what follows it
	end   *item
	held  map[int64]*chain // by task; separate from all others
}

// add appends the item.
func (s *schedule) add(it *item) {
	s.enlist(it)
	s.place(s.project(it.project), it)
}

// place puts the item behind those that it must wait for.
func (s *schedule) place(p *project, it *item) {
	if c := p.held[it.task]; c != nil {
		c.end.follow = it
		c.end = it
		return
	}
	if p.first == nil && it.task != 0 {
		s.append(p, it)
		return
	}
	if p.first == nil {
		p.first = it
	} else {
		p.end.follow = it
	}
	p.end = it
	if p.first == it && p.open == 0 {
		s.release(it)
	}
}

// isBehindStored reports whether the item, if added now, would wait for a stored one. Of
// items that wait for each other, directly or not, all are stored or none.
func (s *schedule) isBehindStored(it *item) bool {
	p := s.projects[it.project]
	switch {
	case p == nil:
		return false
	case p.held[it.task] != nil:
		return p.held[it.task].head.stored
	case p.first != nil:
		return p.first.stored
	case it.task != 0:
		last := p.last[it.task]
		return last != nil && last.stored
	}
	for _, last := range p.last {
		if last.stored {
			return true
		}
	}
	return false
}

// waitingFor returns the item, which is the first of its task, and all items that wait
// for it or for what it waits for, in order.
func (s *schedule) waitingFor(it *item) iter.Seq[*item] {
	return func(yield func(*item) bool) {
		if p := s.projects[it.project]; p.first == nil || p.held[it.task] != nil {
			for ; it != nil && yield(it); it = it.follow {
			}
			return
		}
		for x := s.oldest; x != nil; x = x.newer {
			if x.project == it.project && !yield(x) {
				return
			}
		}
	}
}

// all returns all items, in the order of adding.
func (s *schedule) all() iter.Seq[*item] {
	return func(yield func(*item) bool) {
		for it := s.oldest; it != nil; {
			newer := it.newer // yield may remove the item
			if !yield(it) {
				return
			}
			it = newer
		}
	}
}

// rebuilt returns a schedule of the items that stay, in their stages. No item that stays
// may wait for one that does not.
func (s *schedule) rebuilt(stays func(*item) bool) schedule {
	var out schedule
	var ids []int64
	items := make(map[int64][]*item)
	for it := range s.all() {
		it.follow, it.older, it.newer = nil, nil, nil
		if !stays(it) {
			continue
		}
		before := it.state
		out.enlist(it)
		it.state = before
		if items[it.project] == nil {
			ids = append(ids, it.project)
		}
		items[it.project] = append(items[it.project], it)
	}
	for _, id := range ids {
		out.arrange(out.project(id), items[id])
	}
	out.queue = fifo{}
	for it := range out.all() {
		if it.state == ready {
			out.queue.push(it)
		}
	}
	return out
}

// next hands out the item that has been ready for longest, nil if none is.
func (s *schedule) next() *item {
	for {
		it := s.queue.pop()
		if it == nil {
			return nil
		}
		if it.state == ready { // otherwise it was taken
			it.state = running
			return it
		}
	}
}

// take hands out a ready item.
func (s *schedule) take(it *item) {
	it.state = running
	s.queue.trim()
}

// hold holds a running item back until it is released.
func (s *schedule) hold(it *item) {
	it.state = waiting
	if it.early {
		s.rearrange(it.project)
	}
}

// release makes an item ready.
func (s *schedule) release(it *item) {
	it.state = ready
	s.queue.push(it)
}

// done removes an item that was handed out, and releases those that waited for it.
func (s *schedule) done(it *item) {
	s.delist(it)
	p := s.projects[it.project]
	if it.held {
		s.letGo(p, it)
		return
	}
	if it == p.first {
		p.first = it.follow
		s.advance(p)
	} else {
		p.open--
		if it.follow != nil {
			s.release(it.follow)
		} else {
			delete(p.last, it.task)
		}
	}
	it.follow = nil
	switch {
	case p.open > 0:
	case p.first != nil:
		if p.first.state == behind {
			s.release(p.first)
		}
	default:
		s.discard(it.project, p)
	}
}

// advance moves the items behind a barrier before the next one.
func (s *schedule) advance(p *project) {
	for p.first != nil && p.first.task != 0 {
		it := p.first
		p.first, it.follow = it.follow, nil
		s.append(p, it)
	}
	if p.first == nil {
		p.end = nil
	}
}

// append puts an item after those of its task, before the barrier.
func (s *schedule) append(p *project, it *item) {
	p.open++
	if before := p.last[it.task]; before != nil {
		before.follow = it
	} else {
		s.release(it)
	}
	p.last[it.task] = it
}

func (s *schedule) project(id int64) *project {
	p := s.projects[id]
	if p != nil {
		return p
	}
	if p, s.spare = s.spare, nil; p == nil {
		p = &project{last: make(map[int64]*item)}
	}
	if s.projects == nil {
		s.projects = make(map[int64]*project)
	}
	s.projects[id] = p
	return p
}

func (s *schedule) discard(id int64, p *project) {
	if len(p.held) > 0 {
		return
	}
	delete(s.projects, id)
	s.spare = p
	if s.oldest == nil && cap(s.queue.items) > 1024 {
		*s = schedule{} // frees the memory of a backlog
	}
}

func (s *schedule) enlist(it *item) {
	s.size++
	it.state = behind
	it.older, it.newer = s.newest, nil
	if s.newest != nil {
		s.newest.newer = it
	} else {
		s.oldest = it
	}
	s.newest = it
}

func (s *schedule) delist(it *item) {
	s.size--
	if it.older != nil {
		it.older.newer = it.newer
	} else {
		s.oldest = it.newer
	}
	if it.newer != nil {
		it.newer.older = it.older
	} else {
		s.newest = it.older
	}
	it.older, it.newer = nil, nil
}
