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

// meter reads what was used; without a program it is empty. Sessions that have ended are
// not counted.
func (s *stage) meter(ctx context.Context, p *program) (meter, error) {
	var m meter
	if p == nil {
		return m, nil
	}
	var err error
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

// used records what was used between two readings.
func (s *sample) used(from, to meter, arrivals int) {
	per := 100_000 / float64(arrivals)
	s.set("cpu_s", (to.program.cpu-from.program.cpu).Seconds()*per)
	s.set("peak_mib", float64(to.program.peak)/(1<<20))
	s.set("walsender_s", (to.sender-from.sender).Seconds()*per)
	s.set("sessions_s", (to.sessions-from.sessions).Seconds()*per)
	if used := to.broker - from.broker; used > 0 {
		s.set("broker_s", used.Seconds()*per)
	}
}

// record keeps a sample, unless err is set.
func (b *bench) record(s sample, err error) error {
	if err != nil {
		return err
	}
	fmt.Fprintf(b.progress, "  %s\n", s)
	return b.results.add(s)
}
