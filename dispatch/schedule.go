package dispatch

import "iter"

// stage is the stage of a delivery in its schedule.
type stage uint8

const (
	behind  stage = iota // an earlier one must be done first
	ready                // may go
	running              // handed out by next or handOut
	waiting              // held back after running
)

// schedule decides which deliveries of a lane may go: those of one task one at a time, in
// the order they were added; one of a whole project (Task 0) after all earlier ones of the
// project and before all later ones. Projects do not wait for each other. It does not
// depend on time or goroutines; the zero value is empty.
//
// A delivery goes behind → ready → running → done, or from running through waiting back to
// ready. One that is refused repeatedly can be held: then its project no longer waits for
// it and the later deliveries of its task, and it proceeds separately. When it is done,
// those later deliveries take their places again.
type schedule struct {
	projects map[int64]*project
	spare    *project  // an empty one for reuse
	queue    fifo      // ready, in the order of becoming so
	oldest   *delivery // all deliveries, in the order of adding
	newest   *delivery
	size     int
	moved    bool // waiting deliveries may now be behind
}

// project is the part of a schedule for one project: deliveries that may go up to the first
// barrier, and all from the barrier on.
type project struct {
	last  map[int64]*delivery // last unfinished delivery before the barrier, by task
	first *delivery           // the barrier, and what follows it
	end   *delivery
	held  map[int64]*chain // by task; separate from all others
}

func (s *schedule) add(d *delivery) {
	s.enlist(d)
	s.place(s.project(d.project), d)
}

// place puts the delivery behind those that it must wait for.
func (s *schedule) place(p *project, d *delivery) {
	if c := p.held[d.task]; c != nil {
		c.end.follow = d
		c.end = d
		return
	}
	if p.first == nil && d.task != 0 {
		s.append(p, d)
		return
	}
	if p.first == nil {
		p.first = d
	} else {
		p.end.follow = d
	}
	p.end = d
	if p.first == d && len(p.last) == 0 {
		s.release(d)
	}
}

// isBehindStored reports whether the delivery, if added now, would wait for a stored one.
// Of deliveries that wait for each other, directly or not, all are stored or none.
func (s *schedule) isBehindStored(d *delivery) bool {
	p := s.projects[d.project]
	switch {
	case p == nil:
		return false
	case p.held[d.task] != nil:
		return p.held[d.task].head.stored
	case p.first != nil:
		return p.first.stored
	case d.task != 0:
		last := p.last[d.task]
		return last != nil && last.stored
	}
	for _, last := range p.last {
		if last.stored {
			return true
		}
	}
	return false
}

// waitingFor returns the delivery, which is the first of its task, and all deliveries that
// wait for it or for what it waits for, in order.
func (s *schedule) waitingFor(d *delivery) iter.Seq[*delivery] {
	return func(yield func(*delivery) bool) {
		if p := s.projects[d.project]; p.first == nil || p.held[d.task] != nil {
			for ; d != nil && yield(d); d = d.follow {
			}
			return
		}
		for x := s.oldest; x != nil; x = x.newer {
			if x.project == d.project && !yield(x) {
				return
			}
		}
	}
}

// all returns all deliveries, in the order of adding.
func (s *schedule) all() iter.Seq[*delivery] {
	return func(yield func(*delivery) bool) {
		for d := s.oldest; d != nil; {
			newer := d.newer // yield may remove the delivery
			if !yield(d) {
				return
			}
			d = newer
		}
	}
}

// rebuilt returns a schedule of the deliveries that stay, in their stages. No delivery that
// stays may wait for one that does not.
func (s *schedule) rebuilt(stays func(*delivery) bool) schedule {
	out := schedule{moved: true}
	var ids []int64
	byProject := make(map[int64][]*delivery)
	for d := range s.all() {
		d.follow, d.older, d.newer = nil, nil, nil
		if !stays(d) {
			continue
		}
		before := d.state
		out.enlist(d)
		d.state = before
		if byProject[d.project] == nil {
			ids = append(ids, d.project)
		}
		byProject[d.project] = append(byProject[d.project], d)
	}
	for _, id := range ids {
		out.arrange(out.project(id), byProject[id])
	}
	out.queue = fifo{}
	for d := range out.all() {
		if d.state == ready {
			out.queue.push(d)
		}
	}
	return out
}

// next hands out the delivery that has been ready for longest, nil if none is.
func (s *schedule) next() *delivery {
	for {
		d := s.queue.pop()
		if d == nil {
			return nil
		}
		if d.state == ready { // otherwise it was handed out
			d.state = running
			return d
		}
	}
}

func (s *schedule) handOut(d *delivery) {
	d.state = running
	s.queue.trim()
}

// hold holds a running delivery back until it is released.
func (s *schedule) hold(d *delivery) {
	d.state = waiting
	if d.early {
		s.rearrange()
	}
}

func (s *schedule) release(d *delivery) {
	d.state = ready
	s.queue.push(d)
}

// done removes a delivery that was handed out, and releases those that waited for it.
func (s *schedule) done(d *delivery) {
	s.delist(d)
	p := s.projects[d.project]
	if d.held {
		s.letGo(p, d)
		return
	}
	if d == p.first {
		p.first = d.follow
		s.advance(p)
	} else if d.follow != nil {
		s.release(d.follow)
	} else {
		delete(p.last, d.task)
	}
	d.follow = nil
	switch {
	case len(p.last) > 0:
	case p.first != nil:
		if p.first.state == behind {
			s.release(p.first)
		}
	default:
		s.discard(d.project, p)
	}
}

// advance moves the deliveries behind a barrier before the next one.
func (s *schedule) advance(p *project) {
	for p.first != nil && p.first.task != 0 {
		d := p.first
		p.first, d.follow = d.follow, nil
		s.append(p, d)
	}
	if p.first == nil {
		p.end = nil
	}
}

// append puts a delivery after those of its task, before the barrier.
func (s *schedule) append(p *project, d *delivery) {
	if before := p.last[d.task]; before != nil {
		before.follow = d
	} else {
		s.release(d)
	}
	p.last[d.task] = d
}

func (s *schedule) project(id int64) *project {
	p := s.projects[id]
	if p != nil {
		return p
	}
	if p, s.spare = s.spare, nil; p == nil {
		p = &project{last: make(map[int64]*delivery)}
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
	if s.oldest == nil && cap(s.queue.deliveries) > 1024 {
		*s = schedule{} // frees the memory of a backlog
	}
}

func (s *schedule) enlist(d *delivery) {
	s.size++
	d.state = behind
	d.older, d.newer = s.newest, nil
	if s.newest != nil {
		s.newest.newer = d
	} else {
		s.oldest = d
	}
	s.newest = d
}

func (s *schedule) delist(d *delivery) {
	s.size--
	if d.older != nil {
		d.older.newer = d.newer
	} else {
		s.oldest = d.newer
	}
	if d.newer != nil {
		d.newer.older = d.older
	} else {
		s.newest = d.older
	}
	d.older, d.newer = nil, nil
}
