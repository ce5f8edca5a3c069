package main

import "context"

// price compares hooktail with itself, reading and sending through a log whose server is a
// process of its own: the same backlog, and the same trickle.
func price(ctx context.Context, b *bench) error {
	n := b.size(20_000, 6_000)
	return b.repeat(ctx, plan{reps: b.reps(3, 2), tasks: n, hooks: 1, log: true}, func(s *stage, rep int) error {
		const scenario = "price"
		if err := s.turns(ctx, rep, n, drained{scenario: scenario, of: hooktail, hooks: 1},
			drained{scenario: scenario, of: hooktail, name: "log", log: true, hooks: 1}); err != nil {
			return err
		}
		return s.priceOfTrickle(ctx, rep, b.size(2000, 600))
	})
}

func (s *stage) priceOfTrickle(ctx context.Context, rep, rows int) error {
	const scenario = "price trickle"
	takers := []drained{{scenario: scenario, of: hooktail, rep: rep}, {scenario: scenario, of: hooktail, name: "log", rep: rep, log: true}}
	p50 := make([]float64, len(takers))
	for _, which := range rotated(rep, 0, 1) {
		var err error
		if p50[which], err = s.latency(ctx, takers[which], rows); err != nil {
			return err
		}
	}
	out := newSample(scenario, hooktail, "added", rep)
	out.set("p50_ms", p50[1]-p50[0])
	return s.b.record(out)
}
