package state

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
)

// Wait is how long a change requested by a person waits for locks. Lanes do not wait like
// this: see Apply.
type Wait struct {
	Notice time.Duration // time after which Tell is called, and again when the holders change; default 2 s
	Bound  time.Duration // limit for each lock, after which the change fails with a *LockedError; default 30 s

	// Tell gets the holders of the locks in the server's terms. It is called in another
	// goroutine, but never after the waiting call has returned. nil: a WARN line.
	Tell func(holders string)
}

func (w Wait) withDefaults(log *slog.Logger) Wait {
	if w.Notice <= 0 {
		w.Notice = 2 * time.Second
	}
	if w.Bound <= 0 {
		w.Bound = 30 * time.Second
	}
	if w.Tell == nil {
		w.Tell = func(holders string) { log.Warn("A change of hooktail's tables waits for a lock", "holders", holders) }
	}
	return w
}

// Read runs f in a read-only transaction that sees the database as of one moment. It
// waits for locks as long as Options.Wait allows, and then returns a *LockedError.
func (s *Store) Read(ctx context.Context, f func(pgx.Tx) error) error {
	return s.patient(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", f)
}

// patient runs f in a transaction that waits for locks as long as Options.Wait allows.
func (s *Store) patient(ctx context.Context, begin string, f func(pgx.Tx) error) error {
	var holders string
	begin += fmt.Sprintf("; SET LOCAL lock_timeout = %d", max(s.wait.Bound.Milliseconds(), 1)) // zero means no limit
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{BeginQuery: begin}, func(tx pgx.Tx) error {
		watching, cancel := context.WithCancel(ctx)
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			holders = s.watchLocks(watching, tx.Conn().PgConn().PID())
		}()
		defer func() {
			cancel()
			<-watched
		}()
		return f(tx)
	})
	if sqlState(err) == lockNotAvailable {
		return &LockedError{Holders: holders, err: err}
	}
	return err
}

// watchLocks reports who keeps the server's process waiting, until the context ends. It
// returns the last holders, "" if there were none.
func (s *Store) watchLocks(ctx context.Context, process uint32) (holders string) {
	every := time.NewTicker(s.wait.Notice)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return holders
		case <-every.C:
		}
		now, err := s.blockers(ctx, process)
		switch {
		case ctx.Err() != nil:
			return holders
		case err != nil:
			s.log.DebugContext(ctx, "cannot determine the holders of a lock", "error", err)
		case now != "" && now != holders:
			holders = now
			s.wait.Tell(now)
		}
	}
}

// holderText describes a process p, with its row a of pg_stat_activity. A prepared
// transaction has no process.
const holderText = `CASE p.pid WHEN 0 THEN 'a prepared transaction (pg_prepared_xacts)'
	ELSE format('process %s, role %s, application %s', p.pid, coalesce(a.usename, '?'), coalesce(nullif(a.application_name, ''), '?')) END`

// blockers describes who keeps the server's process waiting for a lock, "" if nobody.
// https://www.postgresql.org/docs/current/functions-info.html
func (s *Store) blockers(ctx context.Context, process uint32) (text string, err error) {
	err = s.pool.QueryRow(ctx, `SELECT coalesce(string_agg(DISTINCT `+holderText+`, '; '), '')
		FROM unnest(pg_catalog.pg_blocking_pids($1)) AS p (pid) LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = p.pid`, int32(process)).Scan(&text)
	return text, err
}
