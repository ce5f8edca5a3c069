package main

import (
	"context"
	"fmt"
	"time"
)

// burst measures one-row transactions, as annotators make them, in quick succession.
func burst(ctx context.Context, b *bench) error {
	n := b.size(30_000, 10_000)
	s, err := b.stage(ctx, n, 1)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	for rep := range b.reps(4, 2) {
		if err := s.backlog(ctx, "backlog", rep, n); err != nil {
			return fmt.Errorf("backlog: %w", err)
		}
		for _, of := range interleaved(rep) {
			if err := s.live(ctx, of, rep, n); err != nil {
				return fmt.Errorf("live: %w", err)
			}
		}
	}
	return nil
}

// backlog has each system deliver the same backlog, from a slot of its own.
func (s *stage) backlog(ctx context.Context, scenario string, rep, n int) error {
	return s.turns(ctx, rep, n, []drained{{scenario: scenario, of: null, hooks: 1}, {scenario: scenario, of: hooktail, hooks: 1}})
}

// drained is a system's delivery of a backlog, and the name under which it is recorded.
type drained struct {
	scenario string
	of       system
	name     string // recorded instead of the system's name; "": the system's
	rep      int
	slot     string
	hooks    int // number of hooks that get each row
	first    int64
	n        int // rows
	env      []string
	log      bool // through one
}

// open makes the slot that is to be taken from, and its log.
func (s *stage) open(ctx context.Context, d *drained) (err error) {
	if d.slot, err = s.slot(ctx); err != nil || !d.log {
		return err
	}
	d.env, err = s.log(ctx, d.slot)
	return err
}

// drain starts the system on a slot with a backlog, waits until all has arrived,
// and records the rate between the first and the last arrival.
func (s *stage) drain(ctx context.Context, d drained) error {
	out := newSample(d.scenario, d.of, d.name, d.rep)
	t := s.b.receiver.expect(d.hooks, d.first, d.n)
	p, err := s.start(d.of, d.slot, d.hooks, d.env...)
	if err != nil {
		return err
	}
	defer s.end(d.of, p)
	begun, err := s.arrivals(ctx, p, t, d.n*d.hooks, out)
	if err != nil {
		return err
	}
	out.set("start_s", begun.Sub(p.started).Seconds())
	out.set("again", float64(t.again.Load()))
	s.end(d.of, p)
	return s.b.record(out, s.drop(ctx, d.slot))
}

// arrivals waits until all has arrived, and records the rate between the first and
// the last, and what the program used meanwhile. It returns the time of the first.
func (s *stage) arrivals(ctx context.Context, p *program, t *tally, n int, out sample) (first time.Time, err error) {
	if err := p.await(ctx, t.started, t); err != nil {
		return first, err
	}
	from, err := s.meter(ctx, p)
	if err != nil {
		return first, err
	}
	if err := p.await(ctx, t.done, t); err != nil {
		return first, err
	}
	to, err := s.meter(ctx, p)
	if err != nil {
		return first, err
	}
	first, last := t.span()
	out.set("rate", float64(n)/last.Sub(first).Seconds())
	out.used(from, to, n)
	return first, nil
}

// live has a system deliver while the annotations are made.
func (s *stage) live(ctx context.Context, of system, rep, n int) error {
	slot, err := s.slot(ctx)
	if err != nil {
		return err
	}
	out := newSample("live", of, "", rep)
	p, err := s.warm(ctx, of, slot)
	if err != nil {
		return err
	}
	defer s.end(of, p)
	first := s.annotations(n)
	t := s.b.receiver.expect(1, first, n)
	from, err := s.meter(ctx, p)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := s.annotate(ctx, first, n); err != nil {
		return err
	}
	out.set("load_s", time.Since(began).Seconds())
	if err := p.await(ctx, t.done, t); err != nil {
		return err
	}
	to, err := s.meter(ctx, p)
	if err != nil {
		return err
	}
	_, ended := t.span()
	out.set("rate", float64(n)/ended.Sub(began).Seconds())
	out.used(from, to, n)
	s.end(of, p)
	return s.b.record(out, s.drop(ctx, slot))
}

// warm starts a system and waits until it has delivered one annotation.
func (s *stage) warm(ctx context.Context, of system, slot string, env ...string) (*program, error) {
	first := s.annotations(1)
	t := s.b.receiver.expect(1, first, 1)
	if err := s.annotate(ctx, first, 1); err != nil {
		return nil, err
	}
	p, err := s.start(of, slot, 1, env...)
	if err != nil {
		return nil, err
	}
	if err := p.await(ctx, t.done, t); err != nil {
		s.end(of, p)
		return nil, err
	}
	return p, nil
}
