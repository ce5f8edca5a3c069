package cdc

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
)

// Decoded is the amount of WAL that the server has decoded for a slot since the slot's
// creation. The count restarts from zero when the server loses its statistics, for
// example in a crash. The zero value means unknown.
type Decoded struct {
	Transactions int64
	Since        string // identifies the beginning of the count, for comparison only; "": unknown
}

// DecodedQuery returns a query for both columns of Decoded. slot is an SQL expression for
// the slot's name; without the slot there is no row. It needs no privilege.
//
// The server loses all statistics together, which changes the time in pg_stat_bgwriter.
// The statistics of one slot can be reset separately, which sets the slot's own time.
// https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-REPLICATION-SLOTS-VIEW
func DecodedQuery(slot string) string {
	return `SELECT s.total_txns, concat_ws('/', extract(epoch FROM b.stats_reset), extract(epoch FROM s.stats_reset))
		FROM pg_catalog.pg_stat_replication_slots s, pg_catalog.pg_stat_bgwriter b WHERE s.slot_name = ` + slot
}

// exceeds reports whether less is decoded now although no statistics were lost: then now
// is another slot of the same name.
func (d Decoded) exceeds(now Decoded) bool {
	return d.Since != "" && d.Since == now.Since && d.Transactions > now.Transactions
}

func decodedOf(ctx context.Context, conn *pgconn.PgConn, slot string) (d Decoded, err error) {
	r, err := row(ctx, conn, DecodedQuery(quoteText(slot)))
	if err == nil {
		d.Since = r[1]
		d.Transactions, err = strconv.ParseInt(r[0], 10, 64)
	}
	if err != nil {
		return Decoded{}, fmt.Errorf("read the statistics of slot %q: %w", slot, err)
	}
	return d, nil
}
