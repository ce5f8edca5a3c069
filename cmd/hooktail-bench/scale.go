package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
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
	return b.repeat(ctx, plan{reps: b.reps(1, 1), tasks: n, hooks: scaleHooks, log: true}, func(s *stage, rep int) error {
		for _, senders := range rotated(rep, 1, 2, 4) {
			if err := s.scaled(ctx, rep, senders, n); err != nil {
				return err
			}
		}
		return nil
	})
}

// scaled measures so many senders, beside a reader.
func (s *stage) scaled(ctx context.Context, rep, senders, rows int) error {
	d := drained{of: hooktail, log: true}
	if err := s.open(ctx, &d); err != nil {
		return err
	}
	logged := append(d.env, fmt.Sprintf("HOOKTAIL_CONCURRENCY=%d", scaleInFlight))
	var p *program // of the programs, the first sender
	for i := range senders + 1 {
		role := "HOOKTAIL_ROLE=sender"
		if i == senders {
			role = "HOOKTAIL_ROLE=reader"
		}
		d.env = slices.Concat(logged, []string{role})
		started, err := s.start(d)
		if err != nil {
			return err
		}
		defer started.end()
		p = cmp.Or(p, started)
	}
	// The senders share the partitions, by their advisory locks: one for each partition, and one
	// for each sender.
	const partitions = 64
	if _, err := p.until(ctx, s.conn, 100*time.Millisecond, senders, `SELECT count(*) FROM (SELECT FROM pg_locks
		WHERE locktype = 'advisory' AND objsubid = 2 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
		GROUP BY pid HAVING count(*) = $1) s`, partitions/senders+1); err != nil {
		return err
	}
	if _, err := s.sent(ctx, p, 1); err != nil { // so that all are warm
		return err
	}
	s.b.receiver.slow(scaleAnswer)
	defer s.b.receiver.slow(0)
	out := newSample("scale", hooktail, strconv.Itoa(senders)+" senders", rep)
	t, err := s.sent(ctx, p, rows)
	if err != nil {
		return err
	}
	began, ended := t.span()
	out.set("rate", float64(len(t.seen))/ended.Sub(began).Seconds())
	out.set("again", float64(t.again.Load()))
	return s.b.record(out)
}

// sent makes so many rows, and waits until all hooks have got them.
func (s *stage) sent(ctx context.Context, p *program, rows int) (*tally, error) {
	t := s.expect(rows)
	if err := s.annotate(ctx, t.first, rows); err != nil {
		return nil, err
	}
	return t, p.await(ctx, t.done, t)
}
