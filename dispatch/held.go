package dispatch

// chain is a held delivery with the deliveries of its task that follow it.
type chain struct{ head, end *delivery }

// pass lets the project proceed without the delivery, which has been handed out, and
// without those of its task.
func (s *schedule) pass(d *delivery) {
	d.held = true
	s.rearrange()
}

// rearrange places all deliveries again.
func (s *schedule) rearrange() { *s = s.rebuilt(func(*delivery) bool { return true }) }

// arrange places the deliveries of a new project, given in the order in which they were
// added. Running deliveries stay ahead of all that wait for them. A waiting delivery goes
// behind a delivery that it must wait for, if it was handed out while that one was held.
func (s *schedule) arrange(p *project, deliveries []*delivery) {
	p.held = chains(deliveries)
	place := func(which func(*delivery) bool) {
		for _, d := range deliveries {
			if d.held || !which(d) {
				continue
			}
			before := d.state
			d.state = behind
			s.place(p, d)
			if before == running || before == waiting && d.state == ready {
				d.state = before
			}
		}
	}
	place(func(d *delivery) bool { return d.state == running && d.task != 0 })
	place(func(d *delivery) bool { return d.state == running && d.task == 0 })
	place(func(d *delivery) bool { return d.state != running })
}

// chains returns the held deliveries by task. A delivery is no longer held if it must wait
// for an earlier one that was held when it was handed out. If it is running then, it is
// early until it has ended: what it waits for may also be in the tail, see window.evict.
func chains(deliveries []*delivery) map[int64]*chain {
	held := make(map[int64]*chain)
	var any, barrier bool // such deliveries precede the delivery and are not held
	for _, d := range deliveries {
		waits := barrier || d.task == 0 && any
		d.follow, d.held, d.early = nil, d.held && !waits, d.state == running && (waits || d.early)
		if d.held {
			held[d.task] = &chain{d, d}
		}
		if held[d.task] == nil {
			any, barrier = true, barrier || d.task == 0
		}
	}
	return held
}

// letGo removes a held delivery. Those that follow it are no longer held.
func (s *schedule) letGo(p *project, d *delivery) {
	delete(p.held, d.task)
	follow := d.follow
	d.held, d.follow = false, nil
	switch {
	case follow != nil:
		s.rearrange()
	case len(p.last) == 0 && p.first == nil:
		s.discard(d.project, p)
	}
}
