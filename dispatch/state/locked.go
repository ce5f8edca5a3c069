package state

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// lockPatience is how long a change waits for a lock that somebody else holds. Whoever
// has one for no longer than a statement takes is done by then.
const lockPatience = time.Second

// LockedError says that nothing was changed, since somebody else holds a lock.
type LockedError struct {
	Keys    []Key  // the rows that are locked; none: others, or it is not known which
	Holders string // who holds the lock, as the server names them; "": not known

	err error // the server's
}

func (e *LockedError) Error() string {
	switch {
	case len(e.Keys) > 0:
		return fmt.Sprintf("somebody's open transaction has locked rows (%d of them): %v", len(e.Keys), e.err)
	case e.Holders != "":
		return fmt.Sprintf("waited in vain for a lock of %s: %v", e.Holders, e.err)
	default:
		return "somebody's open transaction holds a lock: " + e.err.Error()
	}
}

func (e *LockedError) Unwrap() error { return e.err }

// isLockTimeout reports whether the server has given up waiting for a lock.
func isLockTimeout(err error) bool {
	const lockNotAvailable = "55P03" // https://www.postgresql.org/docs/current/errcodes-appendix.html
	fault, ok := errors.AsType[*pgconn.PgError](err)
	return ok && fault.Code == lockNotAvailable
}

// bounded runs f in a transaction that waits for locks for lockPatience at most, or for
// none. The bound is set before any statement is prepared: that waits for locks as well.
// A sender that was deposed gets ErrDeposed.
func (s *Store) bounded(ctx context.Context, atOnce bool, f func(pgx.Tx) error) error {
	patience := lockPatience
	if atOnce {
		patience = time.Millisecond // zero is for ever
	}
	begin := fmt.Sprintf("BEGIN; SET LOCAL lock_timeout = %d", patience.Milliseconds())
	return pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{BeginQuery: begin}, func(tx pgx.Tx) error {
		if err := s.share.check(ctx, tx, s.schema); err != nil {
			return err
		}
		return f(tx)
	})
}

// lockedSQL is the keys among the given ones whose rows others have locked.
const lockedSQL = `WITH given AS (SELECT hook, timeline, lsn::pg_lsn AS lsn, ordinal FROM unnest(` + keyArrays + `) AS given (hook, timeline, lsn, ordinal)),
	free AS MATERIALIZED (SELECT p.hook_id, p.timeline, p.commit_lsn, p.ordinal FROM {parked} p JOIN given ON ` + matched + ` FOR UPDATE OF p SKIP LOCKED)
	SELECT p.hook_id, p.timeline, p.commit_lsn, p.ordinal FROM {parked} p JOIN given ON ` + matched + `
	EXCEPT SELECT hook_id, timeline, commit_lsn, ordinal FROM free`

// locked says more of an error of a change of these rows: who is in the way, if
// somebody is. Otherwise it returns the error as it is.
func (s *Store) locked(ctx context.Context, list []Key, err error) error {
	if !isLockTimeout(err) {
		return err
	}
	fault := &LockedError{err: err}
	k := keysOf(list)
	looked := s.bounded(ctx, true, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, s.sql(lockedSQL), k.hooks, k.timelines, k.commits, k.ordinals)
		if err != nil {
			return err
		}
		fault.Keys, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (key Key, err error) {
			err = row.Scan(&key.Hook, &key.Event.Timeline, &key.Event.Commit, &key.Event.Ordinal)
			return key, err
		})
		return err
	})
	if looked != nil {
		fault.Keys = nil // the table is locked
	}
	if len(fault.Keys) == 0 {
		fault.Holders = s.holders(ctx)
	}
	return fault
}

// holders is who has locked the table, for people; "" if that cannot be said.
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

// keys is those of all rows that the batch changes.
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
