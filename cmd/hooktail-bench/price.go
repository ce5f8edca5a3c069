package main

import "context"

// price compares hooktail with itself, reading and sending through a log whose server is a
// process of its own: the same backlog, and the same trickle.
func price(ctx context.Context, b *bench) error {
	n := b.size(20_000, 6_000)
	return b.repeat(ctx, plan{reps: b.reps(3, 2), tasks: n, hooks: 1, log: true}, func(s *stage, rep int) error {
		if err := s.turns(ctx, rep, n, priced("price", rep)...); err != nil {
			return err
		}
		takers := priced("price trickle", rep)
		p50 := make([]float64, len(takers))
		for _, which := range rotated(rep, 0, 1) {
			var err error
			if p50[which], err = s.latency(ctx, takers[which], b.size(2000, 600)); err != nil {
				return err
			}
		}
		out := newSample("price trickle", hooktail, "added", rep)
		out.set("p50_ms", p50[1]-p50[0])
		return b.record(out)
	})
}

// priced returns hooktail without a log and with one.
func priced(scenario string, rep int) []drained {
	d := drained{scenario: scenario, of: hooktail, rep: rep}
	logged := d
	logged.name, logged.log = "log", true
	return []drained{d, logged}
}
