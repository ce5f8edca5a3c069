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
	if _, err := s.conn.Exec(ctx, "UPDATE webhook SET url = $1", "http://"+address+"/1"); err != nil {
		return fmt.Errorf("point the hook at an unused address: %w", err)
	}
	slot, first, err := s.unread(ctx, n)
	if err != nil {
		return err
	}
	// Dead rows of an earlier repetition must not slow this one down.
	if err := s.exec(ctx, "TRUNCATE hooktail.parked"); err != nil {
		return err
	}
	out := newSample("parking", hooktail, "parked", rep)
	p, err := s.start(hooktail, slot, 1)
	if err != nil {
		return err
	}
	defer s.end(hooktail, p)
	began, err := s.untilParked(ctx, 1)
	if err != nil {
		return err
	}
	from, err := s.meter(ctx, p)
	if err != nil {
		return err
	}
	ended, err := s.untilParked(ctx, n)
	if err != nil {
		return err
	}
	to, err := s.meter(ctx, p)
	if err != nil {
		return err
	}
	out.set("rate", float64(n)/ended.Sub(began).Seconds())
	out.used(from, to, n)
	if err := s.b.record(out, nil); err != nil {
		return err
	}
	return s.unpark(ctx, rep, n, first, p, address, slot)
}

// untilParked waits until n deliveries are parked.
func (s *stage) untilParked(ctx context.Context, n int) (time.Time, error) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ; {
		var parked int
		if err := s.conn.QueryRow(ctx, "SELECT count(*) FROM (SELECT FROM hooktail.parked LIMIT $1) p", n).Scan(&parked); err != nil {
			return time.Time{}, fmt.Errorf("count parked deliveries: %w", err)
		}
		now := time.Now()
		if parked >= n {
			return now, nil
		}
		if now.Sub(began) > patience {
			return now, fmt.Errorf("%d of %d are parked", parked, n)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return now, ctx.Err()
		}
	}
}

func (s *stage) unpark(ctx context.Context, rep, n int, first int64, p *program, address, slot string) error {
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
	if _, err := s.arrivals(ctx, p, t, n, out); err != nil {
		return err
	}
	s.end(hooktail, p)
	if _, err := s.conn.Exec(ctx, "UPDATE webhook SET url = $1", s.b.receiver.url(1)); err != nil {
		return fmt.Errorf("point the hook at the receiver: %w", err)
	}
	return s.b.record(out, s.drop(ctx, slot))
}
