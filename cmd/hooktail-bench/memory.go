package main

import (
	"context"
	"fmt"
	"time"
)

// largeTask is the text of a task that is large, in bytes. It does not compress.
const largeTask = 400 << 10

// memory measures the peak resident memory (VmHWM) with default settings: with large
// tasks, a large transaction, and very many parked deliveries.
func memory(ctx context.Context, b *bench) error {
	for _, load := range []func(context.Context, *bench) error{largeTasks, largeTransaction, muchParked} {
		if err := load(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// largeTasks delivers annotations of large tasks, from a backlog and live.
func largeTasks(ctx context.Context, b *bench) error {
	n := b.size(600, 200)
	large := fmt.Sprintf(`UPDATE task SET data = jsonb_build_object('text', (SELECT string_agg(md5(task.id::text || n), '')
		FROM generate_series(1, %d) n)) WHERE id >= %d`, largeTask/32, firstID)
	return b.repeat(ctx, plan{reps: 1, tasks: n, hooks: 1, variants: []variant{{sql: large}}}, func(s *stage, _ int) error {
		d := drained{of: hooktail, env: []string{settling}}
		first, err := s.unread(ctx, &d, n)
		if err != nil {
			return err
		}
		t := b.receiver.expect(1, first, n)
		p, err := s.start(d)
		if err != nil {
			return err
		}
		defer p.end()
		out := newSample("memory", hooktail, "large backlog", 0)
		if _, err := s.arrivals(ctx, p, t, out); err != nil {
			return err
		}
		if err := b.record(out); err != nil {
			return err
		}
		t = s.expect(n)
		return s.peak(p, newSample("memory", hooktail, "large live", 0), func() error {
			if err := s.annotate(ctx, t.first, n); err != nil {
				return err
			}
			return p.await(ctx, t.done, t)
		})
	})
}

// peak records the peak memory of the program after the work.
func (s *stage) peak(p *program, out sample, work func() error) error {
	if err := work(); err != nil {
		return err
	}
	if err := out.resident(p); err != nil {
		return err
	}
	return s.b.record(out)
}

// largeTransaction has a program that keeps up read a transaction of very many
// annotations, and wait for the ends of their actions. The scenario bulk reads a larger
// transaction, from a backlog.
func largeTransaction(ctx context.Context, b *bench) error {
	n := b.size(200_000, 100_000)
	return b.repeat(ctx, plan{reps: 1, tasks: n, hooks: 1}, func(s *stage, _ int) error {
		p, err := s.warm(ctx, drained{of: hooktail, env: []string{settling}})
		if err != nil {
			return err
		}
		defer p.end()
		t := s.expect(n)
		return s.peak(p, newSample("memory", hooktail, "large transaction", 0), func() error {
			if err := s.exec(ctx, fmt.Sprintf("%s SELECT %d + i, %s, %d + i, %s FROM generate_series(0, %d) i",
				annotationColumns, t.first, annotationResult, firstID, annotationRest, n-1)); err != nil {
				return err
			}
			return p.await(ctx, t.done, t)
		})
	})
}

// muchParked parks a large import for a dead hook, and restarts hooktail with it.
func muchParked(ctx context.Context, b *bench) error {
	n := b.size(500_000, 50_000)
	closed, err := unusedAddress()
	if err != nil {
		return err
	}
	return b.repeat(ctx, plan{reps: 1, variants: []variant{{sql: hooksAt(closed, 1, 1, forAll)}}}, func(s *stage, _ int) error {
		d := drained{of: hooktail, env: []string{settling, "HOOKTAIL_PARK_MAX_BYTES=8GiB"}} // the default is too small for them
		if err := s.open(ctx, &d); err != nil {
			return err
		}
		if err := s.exec(ctx, tasksSQL(n)); err != nil {
			return err
		}
		for _, name := range []string{"parking", "parked"} {
			p, err := s.start(d)
			if err != nil {
				return err
			}
			defer p.end()
			if err := s.peak(p, newSample("memory", hooktail, name, 0), func() error { return s.allParked(ctx, p, n) }); err != nil {
				return err
			}
			p.end()
		}
		return nil
	})
}

// allParked waits until n deliveries are parked, and then long enough for hooktail to read
// and try them. It counts seldom, since counting very many rows loads the server.
func (s *stage) allParked(ctx context.Context, p *program, n int) error {
	const seldom = 5 * time.Second
	if _, err := p.until(ctx, s.conn, seldom, n, "SELECT count(*) FROM hooktail.parked"); err != nil {
		return err
	}
	return wait(ctx, seldom)
}

// resident records the peak resident memory so far.
func (s *sample) resident(p *program) error {
	u, err := p.usage()
	if err != nil {
		return err
	}
	s.set("peak_mib", float64(u.peak)/(1<<20))
	return nil
}
