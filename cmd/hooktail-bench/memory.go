package main

import (
	"context"
	"fmt"
	"time"
)

// largeTask is the text of a task that is large, in bytes. It does not compress.
const largeTask = 400 << 10

// memory is the most that is resident of the process (VmHWM), with large tasks, with very
// many hooks, and with very much that is parked.
func memory(ctx context.Context, b *bench) error {
	for _, load := range []func(context.Context, *bench) error{largeTasks, tenThousandHooks, muchParked} {
		if err := load(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// largeTasks lets annotations of large tasks come from a backlog, and live.
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
	slot, err := s.slot(ctx)
	if err != nil {
		return err
	}
	first := s.annotations(n)
	if err := s.annotate(ctx, first, n); err != nil {
		return err
	}
	t := b.receiver.expect(1, first, n)
	p, err := s.start(hooktail, slot, 1)
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

// tenThousandHooks lets one hook of ten thousand get a backlog: the others have chosen
// another action.
func tenThousandHooks(ctx context.Context, b *bench) error {
	n := b.size(10_000, 2000)
	s, err := b.stage(ctx, n, 1)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	if err := s.exec(ctx, fmt.Sprintf(`
		INSERT INTO webhook (id, url, send_payload, send_for_all_actions, headers, is_active, created_at, updated_at, organization_id)
			SELECT i, '%s', true, false, '{}', true, now(), now(), 1 FROM generate_series(2, 10000) i;
		INSERT INTO webhook_action (action, webhook_id) SELECT 'PROJECT_CREATED', id FROM webhook WHERE NOT send_for_all_actions`,
		b.receiver.url(2))); err != nil {
		return err
	}
	return s.turns(ctx, 0, n, []drained{{scenario: "memory", of: hooktail, name: "10,000 hooks", hooks: 1}})
}

// muchParked parks a large import for a hook that is dead, and starts again with it.
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
		p, err := s.start(hooktail, slot, 1)
		if err != nil {
			return err
		}
		defer s.end(hooktail, p)
		for parked := 0; parked < n; {
			if err := quiet(ctx); err != nil {
				return err
			}
			if err := s.conn.QueryRow(ctx, "SELECT count(*) FROM hooktail.parked").Scan(&parked); err != nil {
				return fmt.Errorf("count what is parked: %w", err)
			}
		}
		if err := quiet(ctx); err != nil {
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

// quiet lets a program be for as long as it takes to read what is parked, and to try it.
func quiet(ctx context.Context) error {
	select {
	case <-time.After(5 * time.Second):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// resident enters the most that was resident so far.
func (s *sample) resident(p *program) error {
	u, err := p.usage()
	if err != nil {
		return err
	}
	s.set("peak_mib", float64(u.peak)/(1<<20))
	return nil
}
