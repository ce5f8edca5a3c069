package state

import (
	"context"
	"fmt"
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

// bounded runs f in a transaction that waits for locks for at most lockPatience, or not
// at all. The timeout is set before any statement is prepared, since that waits for locks
// as well. A timeout is a *LockedError. A deposed sender gets ErrDeposed.
func (s *Store) bounded(ctx context.Context, atOnce bool, f func(pgx.Tx) error) error {
	patience := lockPatience
	if atOnce {
		patience = time.Millisecond // zero means no limit
	}
	begin := fmt.Sprintf("BEGIN; SET LOCAL lock_timeout = %d", patience.Milliseconds())
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{BeginQuery: begin}, func(tx pgx.Tx) error {
		if err := s.share.check(ctx, tx, s.schema); err != nil {
			return err
		}
		return f(tx)
	})
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
	list := make([]Key, 0, len(b.Insert)+len(b.Update)+len(b.Bury)+len(b.Delete))
	for i := range b.Insert {
		list = append(list, b.Insert[i].Key)
	}
	for _, attempts := range [][]Attempt{b.Update, b.Bury} {
		for i := range attempts {
			list = append(list, attempts[i].Key)
		}
	}
	return append(list, b.Delete...)
}
