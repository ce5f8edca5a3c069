package main

import (
	"context"
	"fmt"
	"net"
	"time"
)

// tenThousandHooks delivers a backlog to one of ten thousand hooks; the others want another
// action. Then all of them are adopted.
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
	if err := s.turns(ctx, 0, n, []drained{{scenario: "many", of: hooktail, name: "10,000 hooks", hooks: 1, env: []string{settling}}}); err != nil {
		return err
	}
	return s.adoptAll(ctx)
}

// adoptAll adopts all hooks while hooktail runs.
func (s *stage) adoptAll(ctx context.Context) error {
	p, err := s.warm(ctx, drained{of: hooktail, env: []string{settling}})
	if err != nil {
		return err
	}
	defer p.end()
	out := newSample("many", hooktail, "adopt", 0)
	began := time.Now()
	// hooktail has run for less than HOOKTAIL_ADOPT_OVERLAP, hence --force.
	if err := s.command(ctx, s.environ(p.slot), "hooks", "adopt", "--all", "--force"); err != nil {
		return err
	}
	out.set("took_s", time.Since(began).Seconds())
	if err := out.resident(p); err != nil {
		return err
	}
	return s.finish(ctx, p, out)
}

// sickHooks has 300 hooks that hang, then refuse, then recover, all at once.
func sickHooks(ctx context.Context, b *bench) error {
	const hooks = 300
	n := b.size(60, 30)
	s, err := b.stage(ctx, n, 0)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	silent, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed below
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer silent.Close()
	address := silent.Addr().String()
	for i := range hooks {
		if err := s.hook(ctx, i+1, fmt.Sprintf("http://%s/%d", address, i+1), 1); err != nil {
			return err
		}
	}
	d := drained{of: hooktail, env: []string{settling}}
	first, err := s.unread(ctx, &d, n)
	if err != nil {
		return err
	}
	p, err := s.start(d)
	if err != nil {
		return err
	}
	defer p.end()
	if err := s.sick(ctx, p, hooks*n, "hang"); err != nil {
		return err
	}
	if err := silent.Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	if err := s.sick(ctx, p, hooks*n, "refuse"); err != nil {
		return err
	}
	r, err := listen(address)
	if err != nil {
		return err
	}
	defer r.close()
	t := r.expect(hooks, first, n)
	out := newSample("sick", hooktail, "come back", 0)
	began := time.Now()
	if err := p.await(ctx, t.done, t); err != nil {
		return err
	}
	out.set("took_s", time.Since(began).Seconds())
	if err := out.resident(p); err != nil {
		return err
	}
	return s.finish(ctx, p, out)
}

// sick waits until all deliveries are parked, and a little longer.
func (s *stage) sick(ctx context.Context, p *program, deliveries int, name string) error {
	out := newSample("sick", hooktail, name, 0)
	began := time.Now()
	if err := s.allParked(ctx, p, deliveries); err != nil {
		return err
	}
	out.set("took_s", time.Since(began).Seconds())
	if err := out.resident(p); err != nil {
		return err
	}
	return s.b.record(out)
}
