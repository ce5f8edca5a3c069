package main

import (
	"context"
	"fmt"
	"net"
	"time"
)

// deadHook compares nine hooks with the same nine beside a dead one, which refuses
// connections or never answers.
func deadHook(ctx context.Context, b *bench) error {
	closed, err := unusedAddress()
	if err != nil {
		return err
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it ends with the scenario
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer silent.Close()
	return b.compared(ctx, "dead", plan{reps: b.reps(3, 1), tasks: b.size(20_000, 10_000), hooks: 9, variants: []variant{
		{name: "nine hooks"},
		{name: "and a closed one", sql: hooksAt(closed, 10, 10, forAll)},
		{name: "and a silent one", sql: hooksAt(silent.Addr().String(), 10, 10, forAll)},
	}})
}

// unusedAddress returns an address on which nothing listens.
func unusedAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	if err != nil {
		return "", fmt.Errorf("listen: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// parking measures a backlog whose receiver is absent at first.
func parking(ctx context.Context, b *bench) error {
	n := b.size(30_000, 10_000)
	return b.repeat(ctx, plan{reps: b.reps(3, 1), tasks: n, hooks: 1}, func(s *stage, rep int) error {
		if err := s.turns(ctx, rep, n, drained{scenario: "parking", of: hooktail, name: "delivered"}); err != nil {
			return err
		}
		return s.park(ctx, rep, n)
	})
}

// park records how fast the backlog is parked, and how fast it is delivered once the
// receiver is back.
func (s *stage) park(ctx context.Context, rep, n int) error {
	address, err := unusedAddress()
	if err != nil {
		return err
	}
	if err := s.exec(ctx, "UPDATE webhook SET url = 'http://"+address+"/1'"); err != nil {
		return err
	}
	d := drained{of: hooktail}
	first, err := s.unread(ctx, &d, n)
	if err != nil {
		return err
	}
	// Dead rows of an earlier repetition must not slow this one down.
	if err := s.exec(ctx, "TRUNCATE hooktail.parked"); err != nil {
		return err
	}
	out := newSample("parking", hooktail, "parked", rep)
	p, err := s.start(d)
	if err != nil {
		return err
	}
	defer p.end()
	const tick, parked = 5 * time.Millisecond, "SELECT count(*) FROM (SELECT FROM hooktail.parked LIMIT $1) p"
	began, err := p.until(ctx, s.conn, tick, 1, parked, 1)
	if err != nil {
		return err
	}
	if err := s.metered(ctx, p, out, n, func() error {
		ended, err := p.until(ctx, s.conn, tick, n, parked, n)
		out.set("rate", float64(n)/ended.Sub(began).Seconds())
		return err
	}); err != nil {
		return err
	}
	if err := s.b.record(out); err != nil {
		return err
	}
	return s.unpark(ctx, rep, n, first, p, address)
}

func (s *stage) unpark(ctx context.Context, rep, n int, first int64, p *program, address string) error {
	out := newSample("parking", hooktail, "drained", rep)
	r, err := listen(address)
	if err != nil {
		return err
	}
	defer r.close()
	t := r.expect(1, first, n)
	// A hook is retried immediately when its row changes.
	if err := s.exec(ctx, "UPDATE webhook SET updated_at = now()"); err != nil {
		return err
	}
	if _, err := s.arrivals(ctx, p, t, out); err != nil {
		return err
	}
	p.end()
	if err := s.exec(ctx, "UPDATE webhook SET url = '"+s.b.receiver.url(1)+"'"); err != nil {
		return err
	}
	return s.finish(ctx, p, out)
}
