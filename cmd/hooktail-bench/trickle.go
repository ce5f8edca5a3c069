package main

import "context"

// trickleRate is the number of annotations per second that a large team makes.
const trickleRate = 200

// trickle measures the time from the commit of an annotation to its arrival on a mostly
// idle machine.
func trickle(ctx context.Context, b *bench) error {
	n := b.size(2000, 600)
	s, err := b.stage(ctx, n, 1)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	for rep := range b.reps(3, 2) {
		for _, of := range interleaved(rep) {
			if _, err := s.latency(ctx, drained{scenario: "trickle", of: of, rep: rep, n: n}); err != nil {
				return err
			}
		}
	}
	return nil
}

// latency lets the system follow a trickle of rows, and returns the median in milliseconds.
func (s *stage) latency(ctx context.Context, d drained) (p50 float64, err error) {
	of, n := d.of, d.n
	if err := s.open(ctx, &d); err != nil {
		return 0, err
	}
	p, err := s.warm(ctx, of, d.slot, d.env...)
	if err != nil {
		return 0, err
	}
	defer s.end(of, p)
	out := newSample(d.scenario, of, d.name, d.rep)
	first := s.annotations(n)
	t := s.b.receiver.expect(1, first, n)
	from, err := s.meter(ctx, p)
	if err != nil {
		return 0, err
	}
	committed, err := s.trickle(ctx, first, n, trickleRate)
	if err != nil {
		return 0, err
	}
	if err := p.await(ctx, t.done, t); err != nil {
		return 0, err
	}
	to, err := s.meter(ctx, p)
	if err != nil {
		return 0, err
	}
	out.percentiles(t.since(committed), 50, 99)
	out.used(from, to, n)
	s.end(of, p)
	return out.Values["p50_ms"], s.b.record(out, s.drop(ctx, d.slot))
}
