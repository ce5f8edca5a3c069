package main

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// The load of scale: slow receivers, and senders whose bound on requests in flight is lower
// than the default, so that a machine of two cores carries four of them.
const (
	scaleHooks    = 400
	scaleAnswer   = 100 * time.Millisecond
	scaleInFlight = 32
)

// scale lets one, two and four senders deliver the same events to slow receivers.
func scale(ctx context.Context, b *bench) error {
	n := b.size(16, 8)
	s, err := b.stage(ctx, n, scaleHooks)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	if err := s.startBroker(ctx); err != nil {
		return err
	}
	counts := []int{1, 2, 4}
	for rep := range b.reps(1, 1) {
		for i := range counts {
			if err := s.scaled(ctx, rep, counts[(i+rep)%len(counts)], n); err != nil {
				return err
			}
		}
	}
	return nil
}

// scaled measures so many senders, beside a reader.
func (s *stage) scaled(ctx context.Context, rep, senders, rows int) error {
	slot, err := s.slot(ctx)
	if err != nil {
		return err
	}
	env, err := s.log(ctx, slot)
	if err != nil {
		return err
	}
	env = append(env, fmt.Sprintf("HOOKTAIL_CONCURRENCY=%d", scaleInFlight))
	var sending []*program
	for i := range senders + 1 {
		role := "HOOKTAIL_ROLE=sender"
		if i == senders {
			role = "HOOKTAIL_ROLE=reader"
		}
		p, err := s.start(hooktail, slot, scaleHooks, append(env, role)...)
		if err != nil {
			return err
		}
		defer s.end(hooktail, p)
		if i < senders {
			sending = append(sending, p)
		}
	}
	if err := s.shared(ctx, senders); err != nil {
		return err
	}
	warm := s.annotations(1)
	t := s.b.receiver.expect(scaleHooks, warm, 1)
	if err := s.annotate(ctx, warm, 1); err != nil {
		return err
	}
	if err := sending[0].await(ctx, t.done, t); err != nil {
		return err
	}

	s.b.receiver.slow(scaleAnswer)
	defer s.b.receiver.slow(0)
	out := newSample("scale", hooktail, strconv.Itoa(senders)+" senders", rep)
	first := s.annotations(rows)
	t = s.b.receiver.expect(scaleHooks, first, rows)
	if err := s.annotate(ctx, first, rows); err != nil {
		return err
	}
	if err := sending[0].await(ctx, t.done, t); err != nil {
		return err
	}
	began, ended := t.span()
	out.set("rate", float64(rows*scaleHooks)/ended.Sub(began).Seconds())
	out.set("again", float64(t.again.Load()))
	return s.b.record(out, nil)
}

// shared waits until the senders share the partitions, by their advisory locks: one for each
// partition, and one for each sender.
func (s *stage) shared(ctx context.Context, senders int) error {
	const partitions = 64
	deadline := time.Now().Add(patience)
	for {
		var share int
		err := s.conn.QueryRow(ctx, `SELECT count(*) FROM (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) GROUP BY pid HAVING count(*) = $1) s`,
			partitions/senders+1).Scan(&share)
		switch {
		case err != nil:
			return fmt.Errorf("read the senders' locks: %w", err)
		case share == senders:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("%d of %d senders have their share", share, senders)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
