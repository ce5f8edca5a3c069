package state

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktail/hooktail/mapping"
)

// Setting is what people, or hooktail itself, have set for a hook.
type Setting struct {
	Hook    int64
	Adopted bool // served although it is not active in the application
	Paused  bool // its events are parked, and not delivered

	// Suspended is when the hook was suspended because too much was parked; zero: it is
	// not suspended. SuspendedLSN is then the first commit that it lacks, in PostgreSQL's
	// form.
	Suspended    time.Time
	SuspendedLSN string

	Secrets [][]byte // at most two signing secrets, the newest first, encrypted by the caller

	// Retried is when a person last requested an immediate attempt; zero: never. It is
	// only compared with its previous value. Ago is the time since then, by the database's
	// clock.
	Retried time.Time
	Ago     time.Duration

	// Held is the rest of the pause that the receiver has requested, by the database's
	// clock, see Hold.
	Held time.Duration
}

// Settings returns the settings of all hooks that have any, in the order of the hooks.
func (s *Store) Settings(ctx context.Context) ([]Setting, error) {
	settings, err := collect(ctx, s.pool, func(row pgx.CollectableRow) (set Setting, err error) {
		var held, now time.Time
		var secrets pgtype.Array[[]byte] // of any dimensions, as the column is not restricted
		err = row.Scan(&set.Hook, &set.Adopted, &set.Paused, (*moment)(&set.Suspended), &set.SuspendedLSN, &secrets, (*moment)(&set.Retried), (*moment)(&held), &now)
		set.Secrets, set.Held = secrets.Elements, max(0, held.Sub(now))
		if !set.Retried.IsZero() {
			set.Ago = max(0, now.Sub(set.Retried))
		}
		return set, err
	}, s.sql(`SELECT hook_id, adopted, paused, suspended_at, coalesce(suspended_lsn::text, ''), secrets, retry_at, held_until, now()
		FROM {hook_setting} WHERE `+inPartitions("$1")+` ORDER BY hook_id`), s.partitions)
	return settings, wrap(err, "read settings")
}

// IsSuspended reports whether the hook is suspended.
func (s *Store) IsSuspended(ctx context.Context, hook int64) (suspended bool, err error) {
	err = s.pool.QueryRow(ctx, s.sql(`SELECT EXISTS (SELECT FROM {hook_setting} WHERE hook_id = $1 AND suspended_at IS NOT NULL)`), hook).Scan(&suspended)
	return suspended, wrap(err, "read setting")
}

// IsPaused reports whether the hook is paused.
func (s *Store) IsPaused(ctx context.Context, hook int64) (paused bool, err error) {
	err = s.pool.QueryRow(ctx, s.sql(`SELECT EXISTS (SELECT FROM {hook_setting} WHERE hook_id = $1 AND paused)`), hook).Scan(&paused)
	return paused, wrap(err, "read setting")
}

// Pause parks the hook's events from now on.
func (s *Store) Pause(ctx context.Context, hook int64) error {
	return wrap(s.set(ctx, hook, `paused = true`), "pause hook")
}

// Suspend records that nothing more is parked for the hook, from that event on. A hook
// that is suspended already does not change. If the hook's row is locked for longer than
// a second, it returns a *LockedError.
func (s *Store) Suspend(ctx context.Context, hook int64, from mapping.ID) error {
	return wrap(s.bounded(ctx, false, func(tx pgx.Tx) error {
		return s.setIn(ctx, tx, hook, `suspended_at = coalesce(suspended_at, now()), suspended_lsn = coalesce(suspended_lsn, $2::text::pg_lsn)`, from.Commit.String())
	}), "suspend hook")
}

// Hold records the pause that the hook's receiver has requested; 0: none. If the hook's
// row is locked for longer than a second, it returns a *LockedError.
func (s *Store) Hold(ctx context.Context, hook int64, wait time.Duration) error {
	return wrap(s.bounded(ctx, false, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, s.sql(`INSERT INTO {hook_setting} AS set (hook_id, held_until) VALUES ($1, CASE WHEN $2 > 0 THEN now() + make_interval(secs => $2) END)
			ON CONFLICT (hook_id) DO UPDATE SET held_until = excluded.held_until`), hook, wait.Seconds())
		return err
	}), "hold hook")
}

// Resume ends the pause and the suspension, and retries immediately.
func (s *Store) Resume(ctx context.Context, hook int64) error {
	return wrap(s.set(ctx, hook, `paused = false, suspended_at = NULL, suspended_lsn = NULL, `+atOnce), "resume hook")
}

// Unpause only ends the pause, and retries immediately.
func (s *Store) Unpause(ctx context.Context, hook int64) error {
	return wrap(s.set(ctx, hook, `paused = false, `+atOnce), "resume hook")
}

// Retry makes the running hooktail retry the hook immediately, whatever it waits for. A
// hooktail that starts later does so anyway.
func (s *Store) Retry(ctx context.Context, hook int64) error {
	return wrap(s.set(ctx, hook, atOnce), "retry hook")
}

// atOnce sets a different time on each call, whatever the clock does.
const atOnce = `held_until = NULL, retry_at = greatest(clock_timestamp(), CASE WHEN retry_at < now() + interval '100 years' THEN retry_at + interval '1 microsecond' END)`

// SetSecrets replaces the hook's secrets: none, one, or two in a rotation, the newest
// first. They are encrypted, so that reading the table does not reveal them.
func (s *Store) SetSecrets(ctx context.Context, hook int64, sealed [][]byte) error {
	return wrap(s.set(ctx, hook, `secrets = $2`, append([][]byte{}, sealed...)), "set secrets of hook") // not null
}

// ErrSecretsChanged states that somebody else has changed a hook's secrets meanwhile.
var ErrSecretsChanged = errors.New("somebody else has changed the hook's secrets meanwhile: nothing was changed")

// ReplaceSecrets is SetSecrets for new secrets that were made of the present ones. If these are
// no longer the hook's, it returns ErrSecretsChanged: of two new secrets at once, that of the
// earlier one would be valid nowhere.
func (s *Store) ReplaceSecrets(ctx context.Context, hook int64, present, sealed [][]byte) error {
	return wrap(s.patient(ctx, "BEGIN", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.sql(`INSERT INTO {hook_setting} (hook_id) VALUES ($1) ON CONFLICT DO NOTHING`), hook); err != nil {
			return err
		}
		var now pgtype.Array[[]byte]
		if err := tx.QueryRow(ctx, s.sql(`SELECT secrets FROM {hook_setting} WHERE hook_id = $1 FOR UPDATE`), hook).Scan(&now); err != nil {
			return err
		}
		if !slices.EqualFunc(now.Elements, present, bytes.Equal) {
			return ErrSecretsChanged
		}
		return s.setIn(ctx, tx, hook, `secrets = $2`, sealed)
	}), "set secrets of hook")
}

// Prune deletes the settings of hooks that have been missing from the application for
// longer than grace; there lists the existing ones. Until then a hook may return, for
// example when its table is restored, and events from before its deletion may still have
// to be sent. It returns the ids of the deleted settings.
func (s *Store) Prune(ctx context.Context, there []int64, grace time.Duration) (gone []int64, err error) {
	err = s.bounded(ctx, false, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.sql(`UPDATE {hook_setting} SET gone_at = CASE WHEN hook_id = ANY ($1::bigint[]) THEN NULL ELSE now() END
			WHERE (hook_id = ANY ($1::bigint[])) = (gone_at IS NOT NULL)`), append([]int64{}, there...)); err != nil {
			return err
		}
		gone, err = collect(ctx, tx, pgx.RowTo[int64], s.sql(`DELETE FROM {hook_setting} WHERE gone_at < now() - make_interval(secs => $1) RETURNING hook_id`), grace.Seconds())
		if err != nil || len(gone) == 0 {
			return err
		}
		return s.tell(ctx, tx)
	})
	return gone, wrap(err, "delete settings of deleted hooks")
}

// set changes columns of the hook's row, which it creates if necessary, and notifies the
// running hooktail.
func (s *Store) set(ctx context.Context, hook int64, assignments string, args ...any) error {
	return s.patient(ctx, "BEGIN", func(tx pgx.Tx) error { return s.setIn(ctx, tx, hook, assignments, args...) })
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

// Choice holds the settings that people chose for a hook in addition to its row in the
// application: the columns of hook_setting, unchecked.
type Choice struct {
	Added   []mapping.Action `json:"events_added,omitempty"`   // additional actions
	Removed []mapping.Action `json:"events_removed,omitempty"` // excluded actions
	Filter  string           `json:"filter,omitempty"`         // CEL expression about the body; "": none
	Rate    string           `json:"rate,omitempty"`           // for example "10/s"; "": unlimited
	Format  string           `json:"format,omitempty"`         // form of requests; "": Label Studio's own
}

// Events returns the changes to the hook's events as they are typed: +A,-B.
func (c Choice) Events() string {
	var changes []string
	for _, action := range c.Added {
		changes = append(changes, "+"+string(action))
	}
	for _, action := range c.Removed {
		changes = append(changes, "-"+string(action))
	}
	return strings.Join(changes, ",")
}

// Equal reports whether both are the same, in the same order.
func (c Choice) Equal(o Choice) bool {
	return slices.Equal(c.Added, o.Added) && slices.Equal(c.Removed, o.Removed) && c.Filter == o.Filter && c.Rate == o.Rate && c.Format == o.Format
}

// Choose changes the hook's choice, for events committed later. If edit returns an error,
// nothing changes. edit may be called again if the row is locked.
func (s *Store) Choose(ctx context.Context, hook int64, edit func(*Choice) error) error {
	return wrap(s.patient(ctx, "BEGIN", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, s.sql(`INSERT INTO {hook_setting} (hook_id) VALUES ($1) ON CONFLICT DO NOTHING`), hook); err != nil {
			return err
		}
		var before Choice
		var added, removed pgtype.FlatArray[*string] // of any dimensions, as the column is not restricted
		err := tx.QueryRow(ctx, s.sql(`SELECT events_added, events_removed, coalesce(filter, ''), coalesce(rate, ''), coalesce(format, '')
			FROM {hook_setting} WHERE hook_id = $1 FOR UPDATE`), hook).Scan(&added, &removed, &before.Filter, &before.Rate, &before.Format)
		if err != nil {
			return err
		}
		before.Added, before.Removed = Actions(added), Actions(removed)
		c := before
		c.Added, c.Removed = slices.Clone(before.Added), slices.Clone(before.Removed)
		if err := edit(&c); err != nil {
			return err
		}
		if c.Equal(before) {
			return nil
		}
		return s.setIn(ctx, tx, hook, `events_added = $2, events_removed = $3, filter = nullif($4, ''), rate = nullif($5, ''), format = nullif($6, '')`,
			textsOf(c.Added), textsOf(c.Removed), c.Filter, c.Rate, c.Format)
	}), "set choice of hook")
}

// Actions returns the elements of an array of actions that are neither null nor empty,
// without duplicates, in alphabetical order.
func Actions(elements []*string) (actions []mapping.Action) {
	for _, element := range elements {
		if element != nil && *element != "" {
			actions = append(actions, mapping.Action(*element))
		}
	}
	slices.Sort(actions)
	return slices.Compact(actions)
}

// textsOf returns the names of the actions; nil, which is null, for none.
func textsOf(actions []mapping.Action) (texts []string) {
	for _, action := range actions {
		texts = append(texts, string(action))
	}
	return texts
}
