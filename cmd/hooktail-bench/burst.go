package main

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// burst measures one-row transactions, as annotators make them, in quick succession.
func burst(ctx context.Context, b *bench) error {
	n := b.size(30_000, 10_000)
	return b.repeat(ctx, plan{reps: b.reps(4, 2), tasks: n, hooks: 1}, func(s *stage, rep int) error {
		if err := s.backlog(ctx, "backlog", rep, n); err != nil {
			return fmt.Errorf("backlog: %w", err)
		}
		for _, of := range rotated(rep, null, hooktail) {
			if err := s.live(ctx, of, rep, n); err != nil {
				return fmt.Errorf("live: %w", err)
			}
		}
		return nil
	})
}

// backlog has each system deliver the same backlog of n rows.
func (s *stage) backlog(ctx context.Context, scenario string, rep, n int) error {
	return s.turns(ctx, rep, n, drained{scenario: scenario, of: null}, drained{scenario: scenario, of: hooktail})
}

// turns makes a backlog of n annotations, which each of these delivers, from a slot of its own.
func (s *stage) turns(ctx context.Context, rep, n int, takers ...drained) error {
	for i := range takers {
		takers[i].rep = rep
		if err := s.open(ctx, &takers[i]); err != nil {
			return err
		}
	}
	first := s.annotations(n)
	if err := s.annotate(ctx, first, n); err != nil {
		return err
	}
	for _, taker := range rotated(rep, takers...) {
		if err := s.drain(ctx, taker, first, n); err != nil {
			return err
		}
	}
	return nil
}

// drained is a system's delivery from a slot, and the name under which it is recorded.
type drained struct {
	scenario string
	of       system
	name     string // recorded instead of the system's name; "": the system's
	rep      int
	slot     string
	env      []string
	log      bool // through one
}

// open makes the slot, which has the changes committed from now on, and its log.
func (s *stage) open(ctx context.Context, d *drained) error {
	s.slots++
	d.slot = s.name + "_" + strconv.Itoa(s.slots)
	if err := s.exec(ctx, "SELECT pg_create_logical_replication_slot('"+d.slot+"', 'pgoutput')"); err != nil || !d.log {
		return err
	}
	d.env = append(d.env, "HOOKTAIL_NATS_URL="+s.natsURL)
	return s.command(ctx, s.environ(d.slot, d.env...), "setup")
}

// drain starts the system on a slot with a backlog of n rows, waits until all has arrived,
// and records the rate between the first and the last arrival.
func (s *stage) drain(ctx context.Context, d drained, first int64, n int) error {
	out := newSample(d.scenario, d.of, d.name, d.rep)
	t := s.b.receiver.expect(s.hooks, first, n)
	p, err := s.start(d)
	if err != nil {
		return err
	}
	defer p.end()
	begun, err := s.arrivals(ctx, p, t, out)
	if err != nil {
		return err
	}
	out.set("start_s", begun.Sub(p.started).Seconds())
	out.set("again", float64(t.again.Load()))
	return s.finish(ctx, p, out)
}

// arrivals waits until all has arrived, and records the rate between the first and
// the last, and what the program used meanwhile. It returns the time of the first.
func (s *stage) arrivals(ctx context.Context, p *program, t *tally, out sample) (first time.Time, err error) {
	if err := p.await(ctx, t.started, t); err != nil {
		return first, err
	}
	n := len(t.seen)
	if err := s.metered(ctx, p, out, n, func() error { return p.await(ctx, t.done, t) }); err != nil {
		return first, err
	}
	first, last := t.span()
	out.set("rate", float64(n)/last.Sub(first).Seconds())
	return first, nil
}

// live has a system deliver while the annotations are made.
func (s *stage) live(ctx context.Context, of system, rep, n int) error {
	p, err := s.warm(ctx, drained{of: of})
	if err != nil {
		return err
	}
	defer p.end()
	out := newSample("live", of, "", rep)
	t := s.expect(n)
	var began time.Time
	if err := s.metered(ctx, p, out, n, func() error {
		began = time.Now()
		if err := s.annotate(ctx, t.first, n); err != nil {
			return err
		}
		out.set("load_s", time.Since(began).Seconds())
		return p.await(ctx, t.done, t)
	}); err != nil {
		return err
	}
	_, ended := t.span()
	out.set("rate", float64(n)/ended.Sub(began).Seconds())
	return s.finish(ctx, p, out)
}

// warm starts a system on a slot of its own and waits until it has delivered one annotation.
func (s *stage) warm(ctx context.Context, d drained) (*program, error) {
	if err := s.open(ctx, &d); err != nil {
		return nil, err
	}
	t := s.expect(1)
	if err := s.annotate(ctx, t.first, 1); err != nil {
		return nil, err
	}
	p, err := s.start(d)
	if err != nil {
		return nil, err
	}
	if err := p.await(ctx, t.done, t); err != nil {
		p.end()
		return nil, err
	}
	return p, nil
}
