package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
)

// meter is what has been used up to now.
type meter struct {
	program  usage
	sender   time.Duration // processor time of the walsender
	sessions time.Duration // processor time of hooktail's other sessions
	broker   time.Duration // processor time of the log's server
}

// meter reads what was used. Sessions that have ended are not counted.
func (s *stage) meter(ctx context.Context, p *program) (m meter, err error) {
	if m.program, err = p.usage(); err != nil {
		return m, err
	}
	if s.broker != nil {
		u, err := s.broker.usage()
		if err != nil {
			return m, err
		}
		m.broker = u.cpu
	}
	rows, _ := s.conn.Query(ctx, `SELECT pid::text, backend_type = 'walsender' FROM pg_stat_activity
		WHERE datname = current_database() AND (backend_type = 'walsender' OR application_name = 'hooktail')`)
	// CollectRows returns the error of the query, too.
	sessions, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct {
		PID    string
		Sender bool
	}])
	if err != nil {
		return m, fmt.Errorf("list sessions: %w", err)
	}
	for _, session := range sessions {
		u, err := usageOf(session.PID)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return m, err
		}
		if session.Sender {
			m.sender += u.cpu
		} else {
			m.sessions += u.cpu
		}
	}
	return m, nil
}

// metered records what is used during the work, per 100,000 arrivals of which there are so
// many.
func (s *stage) metered(ctx context.Context, p *program, out sample, arrivals int, work func() error) error {
	from, err := s.meter(ctx, p)
	if err != nil {
		return err
	}
	if err := work(); err != nil {
		return err
	}
	to, err := s.meter(ctx, p)
	if err != nil {
		return err
	}
	per := 100_000 / float64(arrivals)
	out.set("cpu_s", (to.program.cpu-from.program.cpu).Seconds()*per)
	out.set("peak_mib", float64(to.program.peak)/(1<<20))
	out.set("walsender_s", (to.sender-from.sender).Seconds()*per)
	out.set("sessions_s", (to.sessions-from.sessions).Seconds()*per)
	if used := to.broker - from.broker; used > 0 {
		out.set("broker_s", used.Seconds()*per)
	}
	return nil
}

// record keeps a sample.
func (b *bench) record(s sample) error {
	fmt.Fprintf(b.progress, "  %s\n", s)
	return b.results.add(s)
}
