package cdc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Querier runs a query: a pgx connection, transaction or pool.
type Querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Disk is the WAL that a slot makes its server retain, how much more it may retain, and
// its reader. Sizes are in bytes of WAL.
type Disk struct {
	End       LSN   // end of the server's WAL, on a standby of what was replayed
	Confirmed LSN   // confirmed position of the slot; 0: none
	Retained  int64 // from the slot's restart_lsn to End
	// Safe is the amount that may be written until the slot is lost: 0 if it is lost or
	// may be at any moment, NoLimit if it never is and the disk fills up instead.
	Safe   int64
	Lost   bool
	Active bool // the slot is in use
	// ReadFor is the time since its reader connected, by the server's clock; 0: no reader,
	// or one with another role, of which the own one may not know (pg_read_all_stats).
	ReadFor time.Duration
}

// NoLimit is the value of Disk.Safe if max_slot_wal_keep_size does not limit what slots
// retain.
const NoLimit = -1

// ReadDisk reads the state of the slot. It needs no privilege. A missing slot is a *Fault.
// https://www.postgresql.org/docs/current/view-pg-replication-slots.html
func ReadDisk(ctx context.Context, q Querier, slot string) (Disk, error) {
	var d Disk
	err := q.QueryRow(ctx, `SELECT now.lsn, coalesce(s.confirmed_flush_lsn, '0/0'),
			coalesce(pg_catalog.pg_wal_lsn_diff(now.lsn, s.restart_lsn), 0)::bigint,
			CASE WHEN s.wal_status = 'lost' THEN 0 WHEN s.safe_wal_size IS NULL THEN $2 ELSE greatest(s.safe_wal_size, 0) END::bigint,
			coalesce(s.wal_status = 'lost', false), s.active, coalesce(clock_timestamp() - a.backend_start, '0')
		FROM pg_catalog.pg_replication_slots s LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = s.active_pid
		CROSS JOIN (SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END AS lsn) now
		WHERE s.slot_name = $1`, slot, int64(NoLimit)).Scan(&d.End, &d.Confirmed, &d.Retained, &d.Safe, &d.Lost, &d.Active, &d.ReadFor)
	if errors.Is(err, pgx.ErrNoRows) {
		return Disk{}, slotMissing(slot)
	}
	if err != nil {
		return Disk{}, fmt.Errorf("read the retained WAL of slot %q: %w", slot, err)
	}
	return d, nil
}
