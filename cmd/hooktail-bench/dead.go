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
	n := b.size(20_000, 10_000)
	closed, err := unusedAddress()
	if err != nil {
		return err
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it ends with the scenario
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer silent.Close()
	stages := map[string]*stage{}
	names := []string{"nine hooks", "and a closed one", "and a silent one"}
	for _, name := range names {
		s, err := b.stage(ctx, n, 9)
		if err != nil {
			return err
		}
		defer s.close(ctx)
		stages[name] = s
	}
	if err := stages[names[1]].hook(ctx, 10, "http://"+closed+"/10", 1); err != nil {
		return err
	}
	if err := stages[names[2]].hook(ctx, 10, "http://"+silent.Addr().String()+"/10", 1); err != nil {
		return err
	}
	for rep := range b.reps(2, 1) {
		for i := range names {
			name := names[(i+rep)%len(names)]
			if err := stages[name].turns(ctx, rep, n, []drained{{scenario: "dead", of: hooktail, name: name, hooks: 9}}); err != nil {
				return err
			}
		}
	}
	return nil
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
	s, err := b.stage(ctx, n, 1)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	for rep := range b.reps(3, 1) {
		if err := s.turns(ctx, rep, n, []drained{{scenario: "parking", of: hooktail, name: "delivered", hooks: 1}}); err != nil {
			return err
		}
		if err := s.park(ctx, rep, n); err != nil {
			return err
		}
	}
	return nil
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
