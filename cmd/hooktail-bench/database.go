package main

import (
	"context"
	"fmt"
)

// database measures hooktail's load on the server when nothing fails: statements and bytes
// of WAL, during a backlog and while hooktail keeps up.
func database(ctx context.Context, b *bench) error {
	n, few := b.size(30_000, 10_000), b.size(1000, 400)
	p := plan{reps: b.reps(2, 1), tasks: n, hooks: 1, variants: []variant{{sql: "CREATE EXTENSION pg_stat_statements"}}}
	return b.repeat(ctx, p, func(s *stage, rep int) error {
		for _, a := range []asked{
			{scenario: "db backlog", n: n, backlog: true, load: func(first int64) error { return s.annotate(ctx, first, n) }},
			{scenario: "db trickle", n: few, load: func(first int64) error {
				_, err := s.trickle(ctx, first, few, trickleRate)
				return err
			}},
			{scenario: "db saves", n: few, env: []string{settling}, load: func(first int64) error {
				_, err := save(ctx, s.dsn, first, few, users{32, trickleRate, labelStudioPause})
				return err
			}},
		} {
			if err := s.asked(ctx, a, rep); err != nil {
				return err
			}
		}
		return nil
	})
}

// asked is a load whose statements are counted.
type asked struct {
	scenario string
	n        int // annotations
	backlog  bool
	load     func(first int64) error // makes them: before the start if they are a backlog, else after it
	env      []string
}

// asked counts the statements from the start to the last arrival.
func (s *stage) asked(ctx context.Context, a asked, rep int) error {
	d := drained{of: hooktail, env: a.env}
	if err := s.open(ctx, &d); err != nil {
		return err
	}
	t := s.expect(a.n)
	if a.backlog {
		if err := a.load(t.first); err != nil {
			return err
		}
	}
	if err := s.exec(ctx, "SELECT pg_stat_statements_reset()"); err != nil {
		return err
	}
	var wal string
	if err := s.conn.QueryRow(ctx, "SELECT pg_current_wal_insert_lsn()::text").Scan(&wal); err != nil {
		return fmt.Errorf("read position of the WAL: %w", err)
	}
	p, err := s.start(d)
	if err != nil {
		return err
	}
	defer p.end()
	out := newSample(a.scenario, hooktail, "", rep)
	if err := s.metered(ctx, p, out, a.n, func() error {
		if !a.backlog {
			if err := a.load(t.first); err != nil {
				return err
			}
		}
		return p.await(ctx, t.done, t)
	}); err != nil {
		return err
	}
	var statements, bytes float64
	err = s.conn.QueryRow(ctx, `SELECT coalesce(sum(calls), 0)::float8, (pg_current_wal_insert_lsn() - $1::text::pg_lsn)::float8
		FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
		WHERE d.datname = current_database() AND query !~ 'INSERT INTO|UPDATE |pg_stat|pg_current_wal|replication_slot|FOR KEY SHARE|^(begin|commit)'`, wal).Scan(&statements, &bytes)
	if err != nil {
		return fmt.Errorf("count statements: %w", err)
	}
	out.set("statements", statements*1000/float64(a.n))
	if a.backlog { // otherwise it includes the annotations
		out.set("wal_bytes", bytes)
	}
	sessions := out.Values["sessions_s"]
	if total := out.Values["cpu_s"] + out.Values["walsender_s"] + sessions; total > 0 {
		out.set("sessions_share", sessions/total)
	}
	return s.finish(ctx, p, out)
}
