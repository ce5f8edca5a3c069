package state

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// Table names a table of the application. This package knows nothing else about it.
type Table struct{ Schema, Name string }

func (t Table) sql() string { return quote(t.Schema, t.Name) }

// Adopt takes over hooks: it makes them inactive in the application's table of webhooks
// and records that hooktail serves them. This is one transaction of a few statements for
// any number of hooks, since the application waits for its rows meanwhile. A hook that is
// missing from the table is an error, and then nothing is changed.
//
// It waits for locks as long as Options.Wait allows, and then returns a *LockedError.
func (s *Store) Adopt(ctx context.Context, webhooks Table, hooks []int64) error {
	// A running hooktail reads the changes in this order. The hook must be served at
	// every place in the stream.
	return s.patient(ctx, "BEGIN", func(tx pgx.Tx) error {
		if err := s.setAdopted(ctx, tx, hooks, true); err != nil {
			return err
		}
		return activate(ctx, tx, webhooks, hooks, false)
	})
}

// Release gives hooks back: it undoes Adopt, under the same conditions.
func (s *Store) Release(ctx context.Context, webhooks Table, hooks []int64) error {
	return s.patient(ctx, "BEGIN", func(tx pgx.Tx) error {
		if err := activate(ctx, tx, webhooks, hooks, true); err != nil {
			return err
		}
		return s.setAdopted(ctx, tx, hooks, false)
	})
}

func (s *Store) setAdopted(ctx context.Context, tx pgx.Tx, hooks []int64, adopted bool) error {
	_, err := tx.Exec(ctx, s.sql(`INSERT INTO {hook_setting} (hook_id, adopted) SELECT unnest($1::bigint[]), $2
		ON CONFLICT (hook_id) DO UPDATE SET adopted = excluded.adopted, changed_at = now()`), hooks, adopted)
	if err == nil {
		err = s.tell(ctx, tx)
	}
	return wrap(err, "record the adopted hooks")
}

// activate sets whether hooks are active in the application's table.
func activate(ctx context.Context, db Querier, webhooks Table, hooks []int64, active bool) error {
	switched, err := collect(ctx, db, pgx.RowTo[int64], "UPDATE "+webhooks.sql()+" SET is_active = $2 WHERE id = ANY($1) RETURNING id", hooks, active)
	if err == nil {
		if i := slices.IndexFunc(hooks, func(id int64) bool { return !slices.Contains(switched, id) }); i >= 0 {
			return fmt.Errorf("hook %d was deleted meanwhile", hooks[i])
		}
		return nil
	}
	if sqlState(err) == insufficientPrivilege {
		err = fmt.Errorf("%w: let the owner of the table run %s to the role", err, grantActivate(webhooks))
	}
	return wrap(err, "activate or deactivate hooks")
}

// grantActivate is the privilege that activate needs, without the role that gets it.
func grantActivate(webhooks Table) string { return "GRANT UPDATE (is_active) ON " + webhooks.sql() }

// Abandoned are adopted hooks that would not be served without hooktail.
type Abandoned struct {
	Hooks []int64 // those that still exist in the application, in order
	Grant string  // the SQL that allows the role to activate them, without the role; "": it may already
}

// ReadAbandoned finds the adopted hooks in the application's table, which must exist.
func ReadAbandoned(ctx context.Context, db Querier, webhooks Table, adopted []int64) (a Abandoned, err error) {
	var may bool
	if err := db.QueryRow(ctx, "SELECT pg_catalog.has_column_privilege($1, 'is_active', 'UPDATE')", webhooks.sql()).Scan(&may); err != nil {
		return a, fmt.Errorf("look up privileges on %s: %w", webhooks.sql(), err)
	}
	a.Hooks, err = collect(ctx, db, pgx.RowTo[int64], "SELECT id FROM "+webhooks.sql()+" WHERE id = ANY ($1) ORDER BY id", adopted)
	if !may && len(a.Hooks) > 0 {
		a.Grant = grantActivate(webhooks)
	}
	return a, wrap(err, "look up adopted hooks")
}

// Remove activates the hooks in the application's table, and removes the schema as Drop
// does, within the caller's transaction.
func Remove(ctx context.Context, tx pgx.Tx, schema string, webhooks Table, hooks []int64) error {
	if len(hooks) > 0 {
		if err := activate(ctx, tx, webhooks, hooks, true); err != nil {
			return err
		}
	}
	return Drop(ctx, tx.Conn(), schema)
}
