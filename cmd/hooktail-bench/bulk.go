package main

import "context"

// bulk imports very many tasks in one transaction, which makes an event of each.
func bulk(ctx context.Context, b *bench) error {
	n := b.size(1_000_000, 100_000)
	return b.repeat(ctx, plan{reps: 1, hooks: 1}, func(s *stage, _ int) error {
		var takers []drained
		for rep := range b.reps(1, 1) { // all read the same transaction
			for _, of := range rotated(rep, null, hooktail) {
				d := drained{scenario: "bulk", of: of, rep: rep}
				if err := s.open(ctx, &d); err != nil {
					return err
				}
				takers = append(takers, d)
			}
		}
		if err := s.exec(ctx, tasksSQL(n)); err != nil {
			return err
		}
		if err := s.exec(ctx, "VACUUM ANALYZE task"); err != nil {
			return err
		}
		for _, d := range takers {
			if err := s.drain(ctx, d, firstID, n); err != nil {
				return err
			}
		}
		// The project is now unusually large. The rest is the same as for a small one.
		return s.backlog(ctx, "large", 0, b.size(30_000, 10_000))
	})
}
