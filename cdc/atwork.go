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
func (s *Stream) AtWork(ctx context.Context, q Querier) bool {
	var busy bool
	err := q.QueryRow(ctx, `SELECT a.backend_type = 'walsender' AND coalesce(a.wait_event_type, '') NOT IN ('Activity', 'Client')
		FROM pg_catalog.pg_replication_slots s JOIN pg_catalog.pg_stat_activity a ON a.pid = s.active_pid
		WHERE s.slot_name = $1 AND a.backend_type IS NOT NULL`, s.o.Slot).Scan(&busy)
	if err != nil || !busy {
		return false
	}
	s.note(func(*Stats) { s.atWork = time.Now() })
	return true
}
