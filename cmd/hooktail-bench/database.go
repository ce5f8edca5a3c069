package main

import (
	"context"
	"fmt"
)

// database measures hooktail's load on the server when nothing fails: statements and bytes
// of WAL, during a backlog and while hooktail keeps up.
func database(ctx context.Context, b *bench) error {
	n := b.size(30_000, 10_000)
	s, err := b.stage(ctx, n, 1)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	if err := s.exec(ctx, "CREATE EXTENSION pg_stat_statements"); err != nil {
		return err
	}
	for rep := range b.reps(2, 1) {
		if err := s.asked(ctx, "db backlog", rep, n, func(slot string, first int64) error {
			if err := s.annotate(ctx, first, n); err != nil {
				return err
			}
			return s.reset(ctx)
		}, nil); err != nil {
			return err
		}
		few := b.size(1000, 400)
		if err := s.asked(ctx, "db trickle", rep, few, func(string, int64) error { return s.reset(ctx) }, func(first int64) error {
			_, err := s.trickle(ctx, first, few, trickleRate)
			return err
		}); err != nil {
			return err
		}
		if err := s.asked(ctx, "db saves", rep, few, func(string, int64) error { return s.reset(ctx) }, func(first int64) error {
			_, err := save(ctx, s.dsn, first, few, users{32, trickleRate, labelStudioPause})
			return err
		}, settling); err != nil {
			return err
		}
	}
	return nil
}

// asked counts the load from the start, which before precedes, to the last arrival.
func (s *stage) asked(ctx context.Context, scenario string, rep, n int, before func(string, int64) error, after func(int64) error, env ...string) error {
	slot, err := s.slot(ctx)
	if err != nil {
		return err
	}
	first := s.annotations(n)
	t := s.b.receiver.expect(1, first, n)
	if err := before(slot, first); err != nil {
		return err
	}
	var wal string
	if err := s.conn.QueryRow(ctx, "SELECT pg_current_wal_insert_lsn()::text").Scan(&wal); err != nil {
		return fmt.Errorf("read position of the WAL: %w", err)
	}
	p, err := s.start(hooktail, slot, 1, env...)
	if err != nil {
		return err
	}
	defer s.end(hooktail, p)
	from, err := s.meter(ctx, p)
	if err != nil {
		return err
	}
	if after != nil {
		if err := after(first); err != nil {
			return err
		}
	}
	if err := p.await(ctx, t.done, t); err != nil {
		return err
	}
	to, err := s.meter(ctx, p)
	if err != nil {
		return err
	}
	out := newSample(scenario, hooktail, "", rep)
	out.used(from, to, n)
	var statements, bytes float64
	err = s.conn.QueryRow(ctx, `SELECT coalesce(sum(calls), 0)::float8, (pg_current_wal_insert_lsn() - $1::text::pg_lsn)::float8
		FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
		WHERE d.datname = current_database() AND query !~ 'INSERT INTO|UPDATE |pg_stat|pg_current_wal|replication_slot|FOR KEY SHARE|^(begin|commit)'`, wal).Scan(&statements, &bytes)
	if err != nil {
		return fmt.Errorf("count statements: %w", err)
	}
	out.set("statements", statements*1000/float64(n))
	if after == nil { // otherwise it includes the annotations
		out.set("wal_bytes", bytes)
	}
	total := (to.program.cpu - from.program.cpu) + (to.sender - from.sender) + (to.sessions - from.sessions)
	if total > 0 {
		out.set("sessions_share", float64(to.sessions-from.sessions)/float64(total))
	}
	s.end(hooktail, p)
	return s.b.record(out, s.drop(ctx, slot))
}

func (s *stage) reset(ctx context.Context) error {
	return s.exec(ctx, "SELECT pg_stat_statements_reset()")
}
