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
	others := hooksAt(b.receiver.address(), 2, 10_000, "false, true, NULL")
	return b.repeat(ctx, plan{reps: 1, tasks: n, hooks: 1, variants: []variant{{name: "10,000 hooks", sql: others}}}, func(s *stage, rep int) error {
		if err := s.turns(ctx, rep, n, drained{scenario: "many", of: hooktail, name: s.variant, env: []string{settling}}); err != nil {
			return err
		}
		return s.adoptAll(ctx)
	})
}

// adoptAll adopts all hooks while hooktail runs.
func (s *stage) adoptAll(ctx context.Context) error {
	p, err := s.warm(ctx, drained{of: hooktail, env: []string{settling}})
	if err != nil {
		return err
	}
	defer p.end()
	// hooktail has run for less than HOOKTAIL_ADOPT_OVERLAP, hence --force.
	return s.timed(p, "many", "adopt", func() error {
		return s.command(ctx, s.environ(p.slot), "hooks", "adopt", "--all", "--force")
	})
}

// sickHooks has 300 hooks that hang, then refuse, then recover, all at once.
func sickHooks(ctx context.Context, b *bench) error {
	const hooks = 300
	n := b.size(60, 30)
	silent, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed below
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer silent.Close()
	address := silent.Addr().String()
	return b.repeat(ctx, plan{reps: 1, tasks: n, variants: []variant{{sql: hooksAt(address, 1, hooks, forAll)}}}, func(s *stage, _ int) error {
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
		parked := func() error { return s.allParked(ctx, p, hooks*n) }
		if err := s.timed(p, "sick", "hang", parked); err != nil {
			return err
		}
		if err := silent.Close(); err != nil {
			return fmt.Errorf("close: %w", err)
		}
		if err := s.timed(p, "sick", "refuse", parked); err != nil {
			return err
		}
		r, err := listen(address)
		if err != nil {
			return err
		}
		defer r.close()
		t := r.expect(hooks, first, n)
		return s.timed(p, "sick", "come back", func() error { return p.await(ctx, t.done, t) })
	})
}

// timed is peak, with the duration of the work.
func (s *stage) timed(p *program, scenario, name string, work func() error) error {
	out := newSample(scenario, hooktail, name, 0)
	return s.peak(p, out, func() error {
		began := time.Now()
		err := work()
		out.set("took_s", time.Since(began).Seconds())
		return err
	})
}
