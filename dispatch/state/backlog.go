package state

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc"
)

// Backlog is the number and size of a hook's stored deliveries.
type Backlog struct {
	Hook   int64
	Parked Volume
	Dead   Volume
	End    cdc.LSN // end of the server's WAL then; a later commit is another server's, from which the tables were copied
}

// Volume is the number and size of deliveries.
type Volume struct {
	Rows   int64
	Bytes  int64     // of the bodies
	Oldest time.Time // commit of the oldest event; zero: none
}

// Backlogs returns the backlog of each hook with stored deliveries, in the order of the
// hooks. It reads the whole table, so it is only for the start and for people.
func (s *Store) Backlogs(ctx context.Context) ([]Backlog, error) {
	backlogs, err := collect(ctx, s.pool, scanBacklog, s.sql(`SELECT hook_id,
			count(*) FILTER (WHERE state = 'parked'), coalesce(sum(octet_length(body)) FILTER (WHERE state = 'parked'), 0), min(committed_at) FILTER (WHERE state = 'parked'),
			count(*) FILTER (WHERE state = 'dead'), coalesce(sum(octet_length(body)) FILTER (WHERE state = 'dead'), 0), min(committed_at) FILTER (WHERE state = 'dead'),
			CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END
		FROM {parked} WHERE `+inPartitions("$1")+` GROUP BY hook_id ORDER BY hook_id`), s.share.partitions())
	return backlogs, wrap(err, "count deliveries")
}

func scanBacklog(row pgx.CollectableRow) (b Backlog, err error) {
	err = row.Scan(&b.Hook, &b.Parked.Rows, &b.Parked.Bytes, (*moment)(&b.Parked.Oldest), &b.Dead.Rows, &b.Dead.Bytes, (*moment)(&b.Dead.Oldest), &b.End)
	return b, err
}

// Room returns the space that the hook's parked deliveries take, including rows.
func (s *Store) Room(ctx context.Context, hook int64) (n int64, err error) {
	err = s.pool.QueryRow(ctx, s.sql(`SELECT coalesce(sum(octet_length(body) + $2::bigint), 0) FROM {parked} WHERE hook_id = $1 AND state = 'parked'`), hook, RowBytes).Scan(&n)
	return n, wrap(err, "count bytes")
}

// RowBytes is the approximate size of a row without its body, so that deliveries without
// payload are bounded, too.
const RowBytes = 256

// Room returns the space that the deliveries take, including rows.
func (v Volume) Room() int64 { return v.Bytes + RowBytes*v.Rows }
