package dispatch

import "iter"

// stage is where an item is in its schedule.
type stage uint8

const (
	behind  stage = iota // an earlier one has to be done first
	ready                // may go
	running              // handed out by next or take
	waiting              // held back after running
)

// schedule decides which deliveries of a lane may go: those of one task one at a
// time, in the order they were added; one that concerns a whole project (Task 0)
// after all earlier ones of the project and before all later ones. Projects do
// not wait for each other. It knows no time and no goroutines; the zero value
// is empty.
//
// An item goes behind → ready → running → done, or from running over waiting
// back to ready. One that is refused again and again can be held: then its
// project does not wait for it and for those of its task that follow it, and it goes
// on by itself. Once it is done, those that follow it take their places again.
type schedule struct {
	projects map[int64]*project
	spare    *project // an empty one, to be used again
	queue    fifo     // ready, in the order in which they became so
	oldest   *item    // of all, in the order in which they were added
	newest   *item
	size     int
	moved    bool // items that were waiting may be behind
}

// project is the part of a schedule with the deliveries of one project: what may
// go up to the first barrier, and all from the barrier on.
type project struct {
	last  map[int64]*item // by task, the last before the barrier
	open  int             // not done, before the barrier
	first *item           // the barrier, then what follows it
	end   *item
	held  map[int64]*chain // by task; apart from all the others
}

// add appends the item.
func (s *schedule) add(it *item) {
	s.enlist(it)
	s.place(s.project(it.project), it)
}

// place puts the item behind what it has to wait for.
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

// isBehindStored reports whether the item, if it is added now, waits for one that
// is stored. Of those that wait for each other, directly or not, all are stored
// or none.
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

// waitingFor is the item, which is the first of its task, and all that wait for
// it or for what it waits for, in order.
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

// all is every item, in the order in which they were added.
func (s *schedule) all() iter.Seq[*item] {
	return func(yield func(*item) bool) {
		for it := s.oldest; it != nil; {
			newer := it.newer // yield may let go of the item
			if !yield(it) {
				return
			}
			it = newer
		}
	}
}

// rebuilt is a schedule of those of the items that are to stay, in their states.
// None that stays may wait for one that does not.
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

// take hands out an item that is ready.
func (s *schedule) take(it *item) {
	it.state = running
	s.queue.trim()
}

// hold keeps a running item back until it is released.
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

// done removes an item that was handed out, and releases what waited for it.
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

// advance moves what followed a barrier before the next one.
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
		*s = schedule{} // lets go of the memory that a backlog took
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
