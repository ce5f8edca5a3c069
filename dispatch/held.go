package dispatch

// chain is a held item with the items of its task that follow it.
type chain struct{ head, end *item }

// pass lets the project proceed without the item, which has been handed out, and without
// those of its task.
func (s *schedule) pass(it *item) {
	it.held = true
	s.rearrange(it.project)
}

// rearrange places all items of the project again.
func (s *schedule) rearrange(id int64) {
	var items []*item
	queued := make(map[*item]struct{})
	for it := range s.all() {
		if it.project != id {
			continue
		}
		items = append(items, it)
		if it.state == ready {
			queued[it] = struct{}{}
		}
	}
	s.moved = true
	queue := s.queue
	s.queue = fifo{}
	s.arrange(s.projects[id], items)
	fresh := s.queue.waiting()
	s.queue = queue
	for _, it := range fresh {
		if _, already := queued[it]; !already && it.state == ready {
			s.queue.push(it)
		}
	}
}

// arrange places the items of the project, given in the order in which they were added.
// Running items stay ahead of all that wait for them. A waiting item goes behind an item
// that it must wait for, if it was handed out while that one was held.
func (s *schedule) arrange(p *project, items []*item) {
	clear(p.last)
	*p = project{last: p.last}
	p.held = chains(items)
	place := func(which func(*item) bool) {
		for _, it := range items {
			if it.held || !which(it) {
				continue
			}
			before := it.state
			it.state = behind
			s.place(p, it)
			if before == running || before == waiting && it.state == ready {
				it.state = before
			}
		}
	}
	place(func(it *item) bool { return it.state == running && it.task != 0 })
	place(func(it *item) bool { return it.state == running && it.task == 0 })
	place(func(it *item) bool { return it.state != running })
}

// chains returns the held items by task. An item is no longer held if it must wait for an
// earlier one that was held when it was handed out. If it is running then, it is early.
func chains(items []*item) map[int64]*chain {
	held := make(map[int64]*chain)
	var any, barrier bool // such items precede the item and are not held
	for _, it := range items {
		waits := barrier || it.task == 0 && any
		it.follow, it.held, it.early = nil, it.held && !waits, it.state == running && waits
		if it.held {
			held[it.task] = &chain{it, it}
		}
		if held[it.task] == nil {
			any, barrier = true, barrier || it.task == 0
		}
	}
	return held
}

// letGo removes a held item. Those that follow it are no longer held.
func (s *schedule) letGo(p *project, it *item) {
	delete(p.held, it.task)
	follow := it.follow
	it.held, it.follow = false, nil
	switch {
	case follow != nil:
		s.rearrange(it.project)
	case p.open == 0 && p.first == nil:
		s.discard(it.project, p)
	}
}
