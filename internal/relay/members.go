package relay

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hooktail/hooktail/internal/natslog"
)

// seat is a session that holds the right to read a slot, or that has joined its senders.
type seat struct {
	PID        uint32
	Address    string // of the client; "": a local socket, or hidden from this role
	Since      *time.Time
	Leads      bool  // it is the reader's
	Partitions []int // that it has
}

// readSeats lists the reader, if there is one, and the senders, from the locks of the
// database. It needs no privileges: those columns of pg_stat_activity that it may not read
// are unknown.
func readSeats(ctx context.Context, db *pgxpool.Pool, slot string) ([]seat, error) {
	key := uint64(lockKey(slot))
	rows, err := db.Query(ctx, `
		SELECT l.pid, coalesce(pg_catalog.host(a.client_addr), ''), a.backend_start, l.objsubid = 1,
			coalesce(pg_catalog.array_agg(l.objid::bigint ORDER BY l.objid) FILTER (WHERE l.objsubid = 2 AND l.objid <> $4::bigint::oid), '{}')
		FROM pg_catalog.pg_locks AS l LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
		WHERE l.locktype = 'advisory' AND l.granted AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
			AND (l.objsubid = 2 AND l.classid = $1::bigint::oid OR l.objsubid = 1 AND l.classid = $2::bigint::oid AND l.objid = $3::bigint::oid)
		GROUP BY 1, 2, 3, 4 ORDER BY 3, 1`,
		int64(leaseClass(slot)), int64(key>>32), int64(key&0xFFFFFFFF), int64(member))
	var seats []seat
	if err == nil {
		seats, err = pgx.CollectRows(rows, pgx.RowToStructByPos[seat])
	}
	if err != nil {
		return nil, fmt.Errorf("list readers and senders: %w", err)
	}
	return seats, nil
}

// free lists the partitions that no sender has.
func free(seats []seat) []int {
	out := []int{}
	for p := range natslog.Partitions {
		if !slices.ContainsFunc(seats, func(s seat) bool { return slices.Contains(s.Partitions, p) }) {
			out = append(out, p)
		}
	}
	return out
}
