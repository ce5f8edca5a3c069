package state

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktail/hooktail/mapping"
)

// Setting is what people, or hooktail itself, have set for a hook.
type Setting struct {
	Hook    int64
	Adopted bool // delivered although it is not active in the application
	Paused  bool // what it gets is parked, and not delivered

	// Suspended is since when nothing more is parked for the hook, because there
	// was too much; zero: it is not suspended. SuspendedLSN is then the first commit
	// that it lacks, as PostgreSQL writes it.
	Suspended    time.Time
	SuspendedLSN string

	Secrets [][]byte // at most two that sign, the newest first, sealed by the caller

	// Retried is when somebody asked last for an attempt at once; zero: nobody has. It
	// is there to be compared with what it was before.
	Retried time.Time

	// Held is for how long from now on, by the clock of the database, the receiver wants no
	// request, as it had said when Hold was called.
	Held time.Duration
}

// Settings is the settings of all hooks that have any, in the order of the hooks.
func (s *Store) Settings(ctx context.Context) ([]Setting, error) {
	rows, err := s.pool.Query(ctx, s.sql(`SELECT hook_id, adopted, paused, suspended_at, coalesce(suspended_lsn::text, ''), secrets, retry_at, held_until, now()
		FROM {hook_setting} WHERE $1::int[] IS NULL OR hook_id % `+partitionCount+` = ANY ($1) ORDER BY hook_id`), s.share.partitions())
	if err != nil {
		return nil, wrap(err, "read settings")
	}
	settings, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (set Setting, err error) {
		var suspended, retried, held moment
		var now time.Time
		var secrets pgtype.Array[[]byte] // of any dimensions, as anybody may have written it
		err = row.Scan(&set.Hook, &set.Adopted, &set.Paused, &suspended, &set.SuspendedLSN, &secrets, &retried, &held, &now)
		set.Suspended, set.Retried, set.Secrets = suspended.time(), retried.time(), secrets.Elements
		if until := held.time(); until.After(now) {
			set.Held = until.Sub(now)
		}
		return set, err
	})
	return settings, wrap(err, "read settings")
}

// IsSuspended reports whether the hook is suspended.
func (s *Store) IsSuspended(ctx context.Context, hook int64) (suspended bool, err error) {
	err = s.pool.QueryRow(ctx, s.sql(`SELECT EXISTS (SELECT FROM {hook_setting} WHERE hook_id = $1 AND suspended_at IS NOT NULL)`), hook).Scan(&suspended)
	return suspended, wrap(err, "read setting")
}

// Pause parks what the hook gets from now on.
func (s *Store) Pause(ctx context.Context, hook int64) error {
	return wrap(s.set(ctx, hook, `paused = true`), "pause hook")
}

// Suspend says that nothing more is parked for the hook, from that event on. The
// first one counts: on a hook that is suspended already it changes nothing. If somebody
// has locked the hook's row for longer than a second, it returns a *LockedError.
func (s *Store) Suspend(ctx context.Context, hook int64, from mapping.ID) error {
	err := s.bounded(ctx, false, func(tx pgx.Tx) error {
		return s.setIn(ctx, tx, hook, `suspended_at = coalesce(suspended_at, now()), suspended_lsn = coalesce(suspended_lsn, $2::text::pg_lsn)`, from.Commit.String())
	})
	if isLockTimeout(err) {
		err = &LockedError{err: err}
	}
	return wrap(err, "suspend hook")
}

// Hold notes for how long from now on the hook's receiver wants no request; 0: it does not
// mind. If somebody has locked the hook's row for longer than a second, it returns a
// *LockedError.
func (s *Store) Hold(ctx context.Context, hook int64, wait time.Duration) error {
	err := s.bounded(ctx, false, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, s.sql(`INSERT INTO {hook_setting} AS set (hook_id, held_until) VALUES ($1, CASE WHEN $2 > 0 THEN now() + make_interval(secs => $2) END)
			ON CONFLICT (hook_id) DO UPDATE SET held_until = excluded.held_until`), hook, wait.Seconds())
		return err
	})
	if isLockTimeout(err) {
		err = &LockedError{err: err}
	}
	return wrap(err, "hold hook")
}

// Resume ends pause and suspension, and has the hook tried at once.
func (s *Store) Resume(ctx context.Context, hook int64) error {
	return wrap(s.set(ctx, hook, `paused = false, suspended_at = NULL, suspended_lsn = NULL, `+atOnce), "resume hook")
}

// Unpause ends the pause alone, and has the hook tried at once.
func (s *Store) Unpause(ctx context.Context, hook int64) error {
	return wrap(s.set(ctx, hook, `paused = false, `+atOnce), "resume hook")
}

// Retry has the hook tried at once, whatever it waits for, by the hooktail that runs.
// One that starts later tries at once anyway.
func (s *Store) Retry(ctx context.Context, hook int64) error {
	return wrap(s.set(ctx, hook, atOnce), "retry hook")
}

// atOnce is another time each time, whatever the clock does.
const atOnce = `held_until = NULL, retry_at = greatest(clock_timestamp(), CASE WHEN retry_at < now() + interval '100 years' THEN retry_at + interval '1 microsecond' END)`

// SetSecrets replaces the hook's secrets: none, one, or two in a rotation, the
// newest first. They come sealed: whoever reads the table does not learn them.
func (s *Store) SetSecrets(ctx context.Context, hook int64, sealed [][]byte) error {
	if sealed == nil {
		sealed = [][]byte{}
	}
	return wrap(s.set(ctx, hook, `secrets = $2`, sealed), "set secrets of hook")
}

// Prune deletes the settings of hooks that the application has not had for longer than
// that; there is everything that it has now. Until then a hook may come back, as when its
// table is restored, and what was committed before its end may still have to be sent. It
// returns whose settings it has deleted.
func (s *Store) Prune(ctx context.Context, there []int64, grace time.Duration) (gone []int64, err error) {
	if there == nil {
		there = []int64{} // not null
	}
	err = s.bounded(ctx, false, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.sql(`UPDATE {hook_setting} SET gone_at = CASE WHEN hook_id = ANY ($1::bigint[]) THEN NULL ELSE now() END
			WHERE (hook_id = ANY ($1::bigint[])) = (gone_at IS NOT NULL)`), there); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, s.sql(`DELETE FROM {hook_setting} WHERE gone_at < now() - make_interval(secs => $1) RETURNING hook_id`), grace.Seconds())
		if err != nil {
			return err
		}
		if gone, err = pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil || len(gone) == 0 {
			return err
		}
		return s.tell(ctx, tx)
	})
	return gone, wrap(err, "delete settings of hooks that are gone")
}

// set changes columns of the hook's row, which it makes where there is none, and
// tells the hooktail that runs.
func (s *Store) set(ctx context.Context, hook int64, assignments string, args ...any) error {
	return s.patient(ctx, func(tx pgx.Tx) error { return s.setIn(ctx, tx, hook, assignments, args...) })
}

func (s *Store) setIn(ctx context.Context, tx pgx.Tx, hook int64, assignments string, args ...any) error {
	if _, err := tx.Exec(ctx, s.sql(`INSERT INTO {hook_setting} (hook_id) VALUES ($1) ON CONFLICT DO NOTHING`), hook); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, s.sql(`UPDATE {hook_setting} SET changed_at = now(), `+assignments+` WHERE hook_id = $1`), append([]any{hook}, args...)...)
	if err != nil {
		return err
	}
	return s.tell(ctx, tx)
}
