package main

import "context"

// trickleRate is the number of annotations per second that a large team makes.
const trickleRate = 200

// trickle measures the time from the commit of an annotation to its arrival on a mostly
// idle machine.
func trickle(ctx context.Context, b *bench) error {
	n := b.size(2000, 600)
	return b.repeat(ctx, plan{reps: b.reps(3, 2), tasks: n, hooks: 1}, func(s *stage, rep int) error {
		for _, of := range rotated(rep, null, hooktail) {
			if _, err := s.latency(ctx, drained{scenario: "trickle", of: of, rep: rep}, n); err != nil {
				return err
			}
		}
		return nil
	})
}

// latency lets the system follow a trickle of n rows, and returns the median in milliseconds.
func (s *stage) latency(ctx context.Context, d drained, n int) (p50 float64, err error) {
	p, err := s.warm(ctx, d)
	if err != nil {
		return 0, err
	}
	defer p.end()
	out := newSample(d.scenario, d.of, d.name, d.rep)
	t := s.expect(n)
	if err := s.metered(ctx, p, out, n, func() error {
		committed, err := s.trickle(ctx, t.first, n, trickleRate)
		if err != nil {
			return err
		}
		if err := p.await(ctx, t.done, t); err != nil {
			return err
		}
		out.percentiles(t.since(committed), 50, 99)
		return nil
	}); err != nil {
		return 0, err
	}
	return out.Values["p50_ms"], s.finish(ctx, p, out)
}
