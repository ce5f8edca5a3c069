package state

import (
	"context"
	"time"
)

// Expire deletes deliveries that have been dead for longer than age, in several steps.
// Only the database's clock counts. n is their number, also with an error. It also
// removes rows that an earlier run could not remove because they were locked.
func (s *Store) Expire(ctx context.Context, age time.Duration) (n int64, err error) {
	if err := s.sweep(ctx); err != nil {
		return 0, wrap(err, "remove locked rows")
	}
	n, err = s.repeat(ctx, `DELETE FROM {parked} WHERE ctid = ANY (ARRAY(
		SELECT ctid FROM {parked} WHERE state = 'dead' AND dead_at < now() - make_interval(secs => $1) ORDER BY dead_at LIMIT $2 FOR UPDATE SKIP LOCKED))`, age.Seconds(), changedRows)
	return n, wrap(err, "expire dead deliveries")
}

// Trim deletes the hook's oldest dead deliveries, by time of death, until the rest takes
// at most that room, as counted by Backlog.Room, or is locked. n is their number, also
// with an error.
func (s *Store) Trim(ctx context.Context, hook, room int64) (n int64, err error) {
	n, err = s.repeat(ctx, `DELETE FROM {parked} WHERE state = 'dead' AND ctid = ANY (ARRAY(
		SELECT ctid FROM {parked} WHERE ctid = ANY (ARRAY(SELECT ctid FROM (
			SELECT ctid, sum(octet_length(body) + $3::bigint) OVER (ORDER BY dead_at DESC, commit_lsn DESC, ordinal DESC, timeline DESC ROWS UNBOUNDED PRECEDING) AS room
			FROM {parked} WHERE hook_id = $1 AND state = 'dead'
		) AS summed WHERE room > $2 LIMIT $4)) FOR UPDATE SKIP LOCKED))`, hook, room, RowBytes, changedRows)
	return n, wrap(err, "delete the oldest dead deliveries")
}

// repeat runs the statement until it changes fewer than changedRows.
func (s *Store) repeat(ctx context.Context, sql string, args ...any) (n int64, err error) {
	for {
		tag, err := s.pool.Exec(ctx, s.sql(sql), args...)
		n += tag.RowsAffected()
		if err != nil || tag.RowsAffected() < changedRows {
			return n, err
		}
	}
}
