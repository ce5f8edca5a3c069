package main

import "context"

// bulk imports very many tasks in one transaction, which makes an event of each.
func bulk(ctx context.Context, b *bench) error {
	n := b.size(1_000_000, 100_000)
	s, err := b.stage(ctx, 0, 1)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	reps := b.reps(1, 1)
	slots := make([]map[system]string, reps)
	for rep := range reps { // all read the same transaction
		slots[rep] = map[system]string{}
		for _, of := range interleaved(rep) {
			if slots[rep][of], err = s.slot(ctx); err != nil {
				return err
			}
		}
	}
	if err := s.tasks(ctx, n); err != nil {
		return err
	}
	if err := s.exec(ctx, "VACUUM ANALYZE task"); err != nil {
		return err
	}
	for rep := range reps {
		for _, of := range interleaved(rep) {
			if err := s.drain(ctx, drained{scenario: "bulk", of: of, rep: rep, slot: slots[rep][of], hooks: 1}, firstID, n); err != nil {
				return err
			}
		}
	}
	// The project is now unusually large. The rest is the same as for a small one.
	return s.backlog(ctx, "large", 0, b.size(30_000, 10_000))
}
