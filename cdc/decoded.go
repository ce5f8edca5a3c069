package cdc

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
)

// Decoded is how much the server has decoded for a slot. The server counts it for each
// slot, from the slot's creation on, and anew from nothing where it has lost its
// statistics, as after a crash. The zero value stands for what is not known.
type Decoded struct {
	Transactions int64
	Since        string // names the time that is counted from, to be compared and no more; "": not known
}

// DecodedQuery reads it, both columns, for the slot whose name is that SQL expression;
// no row without the slot. Everybody may run it.
//
// Statistics that are lost are lost together, and then pg_stat_bgwriter says a new time.
// Those of one slot can be reset by themselves, which the slot's own time shows; it has none
// before.
// https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-REPLICATION-SLOTS-VIEW
func DecodedQuery(slot string) string {
	return `SELECT s.total_txns, concat_ws('/', extract(epoch FROM b.stats_reset), extract(epoch FROM s.stats_reset))
		FROM pg_catalog.pg_stat_replication_slots s, pg_catalog.pg_stat_bgwriter b WHERE s.slot_name = ` + slot
}

// exceeds reports whether less is decoded now, though nothing was lost: then it is
// another slot of the same name.
func (d Decoded) exceeds(now Decoded) bool {
	return d.Since != "" && d.Since == now.Since && d.Transactions > now.Transactions
}

func decodedOf(ctx context.Context, conn *pgconn.PgConn, slot string) (d Decoded, err error) {
	r, err := row(ctx, conn, DecodedQuery(quoteText(slot)))
	if err != nil {
		return d, fmt.Errorf("read the statistics of slot %q: %w", slot, err)
	}
	if d.Transactions, err = strconv.ParseInt(r[0], 10, 64); err != nil {
		return d, fmt.Errorf("read the statistics of slot %q: %w", slot, err)
	}
	d.Since = r[1]
	return d, nil
}
