package state

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// Holding is the content of the schema, which is removed with it.
type Holding struct {
	Schema   bool // the schema exists
	Foreign  bool // the schema, or one of its tables, belongs to a role of which this role is not a member
	Parked   int64
	Dead     int64
	Adopted  []int64 // hooks that hooktail serves although they are inactive in the application, in order
	Settings int64   // number of hooks with settings
	Emits    bool    // the function of custom events exists
	// Callers are objects that call that function, and would fail without it.
	Callers []string
}

// ReadHolding examines the schema. Without tables it is empty.
func ReadHolding(ctx context.Context, conn *pgx.Conn, schema string) (h Holding, err error) {
	err = conn.QueryRow(ctx, `SELECT true, NOT pg_catalog.pg_has_role(n.nspowner, 'USAGE') OR EXISTS (SELECT FROM pg_catalog.pg_class c
			WHERE c.relnamespace = n.oid AND c.relkind = 'r' AND c.relname = ANY ($2) AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE'))
		FROM pg_catalog.pg_namespace n WHERE n.nspname = $1`, schema, ownTables()).Scan(&h.Schema, &h.Foreign)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return h, fmt.Errorf("look up schema %s: %w", schema, err)
	}
	if !h.Schema {
		return h, nil
	}
	for _, q := range []struct {
		sql string
		to  []any
	}{
		{`SELECT count(*) FILTER (WHERE state = 'parked'), count(*) FILTER (WHERE state = 'dead') FROM ` + quote(schema, "parked"), []any{&h.Parked, &h.Dead}},
		{`SELECT count(*), coalesce(array_agg(hook_id) FILTER (WHERE adopted), '{}') FROM ` + quote(schema, "hook_setting"), []any{&h.Settings, &h.Adopted}},
	} {
		if err := conn.QueryRow(ctx, q.sql).Scan(q.to...); err != nil && sqlState(err) != undefinedTable {
			return h, fmt.Errorf("count the content of schema %s: %w", schema, err)
		}
	}
	slices.Sort(h.Adopted)
	if h.Emits, err = hasEmit(ctx, conn, schema); err == nil && h.Emits {
		h.Callers, err = EmitCallers(ctx, conn, schema)
	}
	return h, err
}
