package cdc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Usage states whether a slot is in use.
type Usage struct {
	Active bool
	// For is the time since its reader connected, by the server's clock; 0: no reader, or
	// the role may not know.
	For time.Duration
}

// ReadUsage asks the server whether the slot is in use. A missing slot is a *Fault. For a
// reader with another role, it needs pg_read_all_stats to know the time.
func ReadUsage(ctx context.Context, q Querier, slot string) (u Usage, err error) {
	var seconds float64
	err = q.QueryRow(ctx, `SELECT s.active, coalesce(extract(epoch FROM clock_timestamp() - a.backend_start), 0)::float8
		FROM pg_catalog.pg_replication_slots s LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = s.active_pid WHERE s.slot_name = $1`, slot).Scan(&u.Active, &seconds)
	if errors.Is(err, pgx.ErrNoRows) {
		return u, slotMissing(slot)
	}
	if err != nil {
		return u, fmt.Errorf("look up slot %q: %w", slot, err)
	}
	u.For = time.Duration(seconds * float64(time.Second))
	return u, nil
}
