package cdc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Usage says whether a slot is being read.
type Usage struct {
	Active bool
	// For is how long its reader has been connected, by the clock of the server; 0: it has
	// none, or the role may not know.
	For time.Duration
}

// ReadUsage asks the server whether the slot is being read. A slot that does not exist is a
// *Fault. For a reader of another role it needs pg_read_all_stats to say since when.
func ReadUsage(ctx context.Context, q Querier, slot string) (u Usage, err error) {
	var seconds float64
	err = q.QueryRow(ctx, `SELECT s.active, coalesce(extract(epoch FROM clock_timestamp() - a.backend_start), 0)::float8
		FROM pg_catalog.pg_replication_slots s LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = s.active_pid WHERE s.slot_name = $1`, slot).Scan(&u.Active, &seconds)
	if errors.Is(err, pgx.ErrNoRows) {
		return u, slotMissing(slot)
	}
	if err != nil {
		return u, fmt.Errorf("look slot %q up: %w", slot, err)
	}
	u.For = time.Duration(seconds * float64(time.Second))
	return u, nil
}
