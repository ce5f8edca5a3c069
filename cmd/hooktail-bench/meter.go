package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// meter is what has been used up to a moment.
type meter struct {
	program  usage
	sender   time.Duration // processor time of the walsender
	sessions time.Duration // and of hooktail's other sessions
	broker   time.Duration // and of the log's server
}

// meter reads it; without a program it is empty. Sessions that have ended do not count any more.
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
		u, err := s.broker.program.usage()
		if err != nil {
			return m, err
		}
		m.broker = u.cpu
	}
	rows, err := s.conn.Query(ctx, `SELECT pid::text, backend_type = 'walsender' FROM pg_stat_activity
		WHERE datname = current_database() AND (backend_type = 'walsender' OR application_name = 'hooktail')`)
	if err != nil {
		return m, fmt.Errorf("list sessions: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var pid string
		var sender bool
		if err := rows.Scan(&pid, &sender); err != nil {
			return m, fmt.Errorf("list sessions: %w", err)
		}
		u, err := usageOf(pid)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return m, err
		}
		if sender {
			m.sender += u.cpu
		} else {
			m.sessions += u.cpu
		}
	}
	return m, rows.Err()
}

// used enters what was used between two moments.
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

// record keeps a sample, unless what followed it has failed.
func (b *bench) record(s sample, err error) error {
	if err != nil {
		return err
	}
	fmt.Fprintf(b.progress, "  %s\n", s)
	return b.results.add(s)
}
