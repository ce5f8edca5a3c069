package main

import "context"

// price compares hooktail with itself, reading and sending through a log whose server is a
// process of its own: the same backlog, and the same trickle.
func price(ctx context.Context, b *bench) error {
	n := b.size(20_000, 6_000)
	s, err := b.stage(ctx, n, 1)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	if err := s.startBroker(ctx); err != nil {
		return err
	}
	for rep := range b.reps(3, 2) {
		if err := s.priceOfBacklog(ctx, rep, n); err != nil {
			return err
		}
		if err := s.priceOfTrickle(ctx, rep, b.size(2000, 600)); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) priceOfBacklog(ctx context.Context, rep, rows int) error {
	return s.turns(ctx, rep, rows, []drained{
		{scenario: "price", of: hooktail, hooks: 1}, {scenario: "price", of: hooktail, name: "log", log: true, hooks: 1},
	})
}

func (s *stage) priceOfTrickle(ctx context.Context, rep, rows int) error {
	const scenario = "price trickle"
	takers := []drained{{scenario: scenario, of: hooktail, rep: rep}, {scenario: scenario, of: hooktail, name: "log", rep: rep, log: true}}
	p50 := make([]float64, len(takers))
	for i := range takers {
		which := (i + rep) % len(takers)
		var err error
		if p50[which], err = s.latency(ctx, takers[which], rows); err != nil {
			return err
		}
	}
	out := newSample(scenario, hooktail, "added", rep)
	out.set("p50_ms", p50[1]-p50[0])
	return s.b.record(out)
}
