package state

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// lockPatience is how long a change waits for another session's lock. Locks held for one
// statement are released by then.
const lockPatience = time.Second

// LockedError states that nothing was changed, because another session holds a lock.
type LockedError struct {
	Keys    []Key  // locked rows; empty: other locks, or unknown
	Holders string // holders of the lock in the server's terms; "": unknown

	err error // error from the server
}

func (e *LockedError) Error() string {
	switch {
	case len(e.Keys) > 0:
		return fmt.Sprintf("another session's open transaction has locked %d rows: %v", len(e.Keys), e.err)
	case e.Holders != "":
		return fmt.Sprintf("timed out waiting for a lock held by %s: %v", e.Holders, e.err)
	default:
		return "another session's open transaction holds a lock: " + e.err.Error()
	}
}

func (e *LockedError) Unwrap() error { return e.err }

// silence is how long the server hears nothing in a transaction before it ends the session: a process that is
// frozen, or a machine that is gone, would keep the locks of its rows and of its epochs for ever. It is that of
// the session that has the right to lead or to send.
const silence = 14 * time.Second

// bounded runs f in a transaction that waits for locks for at most lockPatience, or not
// at all. A timeout is a *LockedError. A deposed sender gets ErrDeposed. The epochs are locked last: what f sends
// may stay away in the middle, without a limit of the server.
func (s *Store) bounded(ctx context.Context, atOnce bool, f func(pgx.Tx) error) error {
	patience := lockPatience
	if atOnce {
		patience = 0
	}
	begin := fmt.Sprintf("BEGIN; SET LOCAL idle_in_transaction_session_timeout = %d", silence.Milliseconds())
	return s.limited(ctx, begin, patience, func(tx pgx.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		return s.share.check(ctx, tx, s.schema)
	})
}

// limited runs f in a transaction that waits for each lock for at most that time. The
// timeout is set before any statement is prepared, since that waits for locks as well.
func (s *Store) limited(ctx context.Context, begin string, patience time.Duration, f func(pgx.Tx) error) error {
	begin += fmt.Sprintf("; SET LOCAL lock_timeout = %d", max(patience.Milliseconds(), 1)) // zero means no limit
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{BeginQuery: begin}, f)
	if sqlState(err) == lockNotAvailable {
		return &LockedError{err: err}
	}
	return err
}

// lockedSQL returns those of the given keys whose rows are locked by others.
const lockedSQL = `WITH given AS (SELECT hook, timeline, lsn::pg_lsn AS lsn, ordinal FROM unnest(` + keyArrays + `) AS given (hook, timeline, lsn, ordinal)),
	free AS MATERIALIZED (SELECT p.hook_id, p.timeline, p.commit_lsn, p.ordinal FROM {parked} p JOIN given ON ` + matched + ` FOR UPDATE OF p SKIP LOCKED)
	SELECT p.hook_id, p.timeline, p.commit_lsn, p.ordinal FROM {parked} p JOIN given ON ` + matched + `
	EXCEPT SELECT hook_id, timeline, commit_lsn, ordinal FROM free`

// explain adds to the error of a change of these rows which of them are locked, or who
// holds the locks.
func (s *Store) explain(ctx context.Context, list []Key, fault *LockedError) {
	looked := s.bounded(ctx, true, func(tx pgx.Tx) error {
		var err error
		fault.Keys, err = collect(ctx, tx, func(row pgx.CollectableRow) (key Key, err error) {
			err = row.Scan(&key.Hook, &key.Event.Timeline, &key.Event.Commit, &key.Event.Ordinal)
			return key, err
		}, s.sql(lockedSQL), keyed(list)...)
		return err
	})
	if looked != nil {
		fault.Keys = nil // the table is locked
	}
	if len(fault.Keys) == 0 {
		fault.Holders = s.holders(ctx)
	}
}

// holders describes who has locked the table; "" if unknown.
func (s *Store) holders(ctx context.Context) (text string) {
	err := s.pool.QueryRow(ctx, `SELECT coalesce(string_agg(DISTINCT `+holderText+`, '; '), '')
		FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		CROSS JOIN LATERAL (SELECT coalesce(l.pid, 0)) AS p (pid) LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = p.pid
		WHERE l.granted AND l.mode IN ('AccessExclusiveLock', 'ExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock') AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
			AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()) AND n.nspname = $1 AND c.relname = 'parked'`, s.schema).Scan(&text)
	if err != nil {
		return ""
	}
	return text
}

func (b *Batch) keys() []Key {
	attempt := func(a *Attempt) Key { return a.Key }
	return slices.Concat(column(b.Insert, func(r *Row) Key { return r.Key }), column(b.Update, attempt), column(b.Bury, attempt), b.Delete)
}

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
	err := s.limited(ctx, begin, s.wait.Bound, func(tx pgx.Tx) error {
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
	if fault, ok := errors.AsType[*LockedError](err); ok {
		fault.Holders = holders
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
