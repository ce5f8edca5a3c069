package parking

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

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
}

// Settings is the settings of all hooks that have any, in the order of the hooks.
func (s *Store) Settings(ctx context.Context) ([]Setting, error) {
	rows, err := s.pool.Query(ctx, s.sql(`SELECT hook_id, adopted, paused, suspended_at, coalesce(suspended_lsn::text, ''), secrets
		FROM {hook_setting} ORDER BY hook_id`))
	if err != nil {
		return nil, wrap(err, "read settings")
	}
	settings, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (set Setting, err error) {
		var suspended *time.Time
		err = row.Scan(&set.Hook, &set.Adopted, &set.Paused, &suspended, &set.SuspendedLSN, &set.Secrets)
		set.Suspended = value(suspended)
		return set, err
	})
	return settings, wrap(err, "read settings")
}

// Adopt is AdoptAll of one hook.
func (s *Store) Adopt(ctx context.Context, tx pgx.Tx, hook int64, adopted bool) error {
	return s.AdoptAll(ctx, tx, []int64{hook}, adopted)
}

// AdoptAll says whether hooktail delivers to the hooks although they are not active. It is
// part of the transaction, which changes the application's rows as well.
func (s *Store) AdoptAll(ctx context.Context, tx pgx.Tx, hooks []int64, adopted bool) error {
	_, err := tx.Exec(ctx, s.sql(`INSERT INTO {hook_setting} (hook_id, adopted) SELECT unnest($1::bigint[]), $2
		ON CONFLICT (hook_id) DO UPDATE SET adopted = excluded.adopted, changed_at = now()`), hooks, adopted)
	if err == nil {
		err = s.tell(ctx, tx)
	}
	return wrap(err, "adopt hooks")
}

// Pause parks what the hook gets from now on.
func (s *Store) Pause(ctx context.Context, hook int64) error {
	return wrap(s.set(ctx, hook, `paused = true`), "pause hook")
}

// Suspend says that nothing more is parked for the hook, from that event on. The
// first one counts: on a hook that is suspended already it changes nothing.
func (s *Store) Suspend(ctx context.Context, hook int64, from mapping.ID) error {
	err := s.set(ctx, hook, `suspended_at = coalesce(suspended_at, now()), suspended_lsn = coalesce(suspended_lsn, $2::text::pg_lsn)`, from.Commit.String())
	return wrap(err, "suspend hook")
}

// Resume ends pause and suspension.
func (s *Store) Resume(ctx context.Context, hook int64) error {
	return wrap(s.set(ctx, hook, `paused = false, suspended_at = NULL, suspended_lsn = NULL`), "resume hook")
}

// SetSecrets replaces the hook's secrets: none, one, or two in a rotation, the
// newest first. They come sealed: whoever reads the table does not learn them.
func (s *Store) SetSecrets(ctx context.Context, hook int64, sealed [][]byte) error {
	if sealed == nil {
		sealed = [][]byte{}
	}
	return wrap(s.set(ctx, hook, `secrets = $2`, sealed), "set secrets of hook")
}

// Forget removes the settings of a hook that is gone.
func (s *Store) Forget(ctx context.Context, hook int64) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.sql(`DELETE FROM {hook_setting} WHERE hook_id = $1`), hook); err != nil {
			return err
		}
		return s.tell(ctx, tx)
	})
	return wrap(err, "forget hook")
}

// set changes columns of the hook's row, which it makes where there is none, and
// tells the hooktail that runs.
func (s *Store) set(ctx context.Context, hook int64, assignments string, args ...any) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return s.setIn(ctx, tx, hook, assignments, args...) })
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
