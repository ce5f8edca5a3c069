package state

import (
	"context"
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
	Adopted  []int64  // hooks that hooktail serves although they are inactive in the application, in order
	Settings int64    // number of hooks with settings
	Emits    bool     // the function of custom events exists
	Callers  []string // objects that call that function, and would fail without it
}

// ReadHolding examines the schema. Without tables it is empty.
func ReadHolding(ctx context.Context, conn *pgx.Conn, schema string) (h Holding, err error) {
	n, err := lookUp(ctx, conn, schema)
	if err != nil || !n.there {
		return h, err
	}
	h.Schema, h.Foreign = true, !n.owned || n.foreign
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
	err = conn.QueryRow(ctx, "SELECT pg_catalog.to_regprocedure($1) IS NOT NULL", quote(schema, emitFunction)+emitArguments).Scan(&h.Emits)
	if err != nil || !h.Emits {
		return h, wrap(err, "look for the function "+schema+".emit")
	}
	h.Callers, err = EmitCallers(ctx, conn, schema)
	return h, err
}
