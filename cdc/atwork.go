package cdc

import (
	"context"
	"time"
)

// AtWork asks, on another connection, whether the server's process that reads the slot is
// busy. If so, that counts as a message of the server.
//
// Up to version 15, a server says nothing while it passes over what it does not publish of
// a large transaction, such as a table that ALTER TABLE or REFRESH MATERIALIZED VIEW
// writes anew. A new connection would make it begin with that transaction again, for ever.
// A process whose connection is broken waits for its client, or for more WAL.
//
// The process belongs to the role that has logged in. A session that acts as another one
// (postgres.Role) may see it only as itself, so for this statement it does.
func (s *Stream) AtWork(ctx context.Context, q Querier) bool {
	var busy bool
	err := q.QueryRow(ctx, `SELECT a.backend_type = 'walsender' AND coalesce(a.wait_event_type, '') NOT IN ('Activity', 'Client')
		FROM (SELECT pg_catalog.set_config('role', 'none', true) AS role) itself CROSS JOIN pg_catalog.pg_replication_slots s
		CROSS JOIN LATERAL pg_catalog.pg_stat_get_activity(CASE itself.role WHEN 'none' THEN s.active_pid END) a
		WHERE s.active_pid IS NOT NULL AND s.slot_name = $1 AND a.backend_type IS NOT NULL`, s.o.Slot).Scan(&busy)
	if err != nil || !busy {
		return false
	}
	s.note(func(*Stats) { s.atWork = time.Now() })
	return true
}
