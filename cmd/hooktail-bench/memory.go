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
	s, err := b.stage(ctx, n, 1)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	if err := s.exec(ctx, fmt.Sprintf(`UPDATE task SET data = jsonb_build_object('text', (SELECT string_agg(md5(task.id::text || n), '')
		FROM generate_series(1, %d) n)) WHERE id >= %d`, largeTask/32, firstID)); err != nil {
		return err
	}
	slot, first, err := s.unread(ctx, n)
	if err != nil {
		return err
	}
	t := b.receiver.expect(1, first, n)
	p, err := s.start(hooktail, slot, 1, settling)
	if err != nil {
		return err
	}
	defer s.end(hooktail, p)
	out := newSample("memory", hooktail, "large backlog", 0)
	if _, err := s.arrivals(ctx, p, t, n, out); err != nil {
		return err
	}
	if err := b.record(out, nil); err != nil {
		return err
	}
	first = s.annotations(n)
	t = b.receiver.expect(1, first, n)
	out = newSample("memory", hooktail, "large live", 0)
	if err := s.annotate(ctx, first, n); err != nil {
		return err
	}
	if err := p.await(ctx, t.done, t); err != nil {
		return err
	}
	return b.record(out, out.resident(p))
}

// largeTransaction has a program that keeps up read a transaction of very many
// annotations, and wait for the ends of their actions. The scenario bulk reads a larger
// transaction, from a backlog.
func largeTransaction(ctx context.Context, b *bench) error {
	n := b.size(200_000, 100_000)
	s, err := b.stage(ctx, n, 1)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	slot, err := s.slot(ctx)
	if err != nil {
		return err
	}
	p, err := s.warm(ctx, hooktail, slot, settling)
	if err != nil {
		return err
	}
	defer s.end(hooktail, p)
	first := s.annotations(n)
	t := b.receiver.expect(1, first, n)
	out := newSample("memory", hooktail, "large transaction", 0)
	if err := s.exec(ctx, fmt.Sprintf("%s SELECT %d + i, %s, %d + i, %s FROM generate_series(0, %d) i", annotationColumns, first, annotationResult, firstID, annotationRest, n-1)); err != nil {
		return err
	}
	if err := p.await(ctx, t.done, t); err != nil {
		return err
	}
	if err := out.resident(p); err != nil {
		return err
	}
	s.end(hooktail, p)
	return b.record(out, s.drop(ctx, slot))
}

// muchParked parks a large import for a dead hook, and restarts hooktail with it.
func muchParked(ctx context.Context, b *bench) error {
	n := b.size(500_000, 50_000)
	s, err := b.stage(ctx, 0, 0)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	closed, err := unusedAddress()
	if err != nil {
		return err
	}
	if err := s.hook(ctx, 1, "http://"+closed+"/1", 1); err != nil {
		return err
	}
	slot, err := s.slot(ctx)
	if err != nil {
		return err
	}
	if err := s.tasks(ctx, n); err != nil {
		return err
	}
	for _, name := range []string{"parking", "parked"} {
		out := newSample("memory", hooktail, name, 0)
		p, err := s.start(hooktail, slot, 1, settling, "HOOKTAIL_PARK_MAX_BYTES=8GiB") // the default is too small for them
		if err != nil {
			return err
		}
		defer s.end(hooktail, p)
		if err := s.untilAllParked(ctx, p, n); err != nil {
			return err
		}
		if err := out.resident(p); err != nil {
			return err
		}
		s.end(hooktail, p)
		if err := b.record(out, nil); err != nil {
			return err
		}
	}
	return s.drop(ctx, slot)
}

// untilAllParked waits until n deliveries are parked. It counts less often than
// untilParked, since counting very many rows loads the server.
func (s *stage) untilAllParked(ctx context.Context, p *program, n int) error {
	for began := time.Now(); ; {
		if err := quiet(ctx); err != nil {
			return err
		}
		select {
		case <-p.ended:
			return fmt.Errorf("hooktail ended (%s): %s", p.cmd.ProcessState, p.stderr)
		default:
		}
		var parked int
		if err := s.conn.QueryRow(ctx, "SELECT count(*) FROM hooktail.parked").Scan(&parked); err != nil {
			return fmt.Errorf("count parked deliveries: %w", err)
		}
		if parked >= n {
			return quiet(ctx)
		}
		if time.Since(began) > patience {
			return fmt.Errorf("%d of %d are parked", parked, n)
		}
	}
}

// quiet waits long enough for hooktail to read parked deliveries and try them.
func quiet(ctx context.Context) error {
	select {
	case <-time.After(5 * time.Second):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
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
