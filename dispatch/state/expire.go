package state

import (
	"context"
	"time"
)

// Expire deletes the deliveries that died longer ago than that, some at a time. The
// clock of the database alone decides, by which they died. n is how many, also
// with an error. It removes as well what an earlier run could not, since it was locked.
func (s *Store) Expire(ctx context.Context, age time.Duration) (n int64, err error) {
	if err := s.sweep(ctx); err != nil {
		return 0, wrap(err, "remove what was locked")
	}
	for {
		tag, err := s.pool.Exec(ctx, s.sql(`DELETE FROM {parked} WHERE ctid = ANY (ARRAY(
			SELECT ctid FROM {parked} WHERE state = 'dead' AND dead_at < now() - make_interval(secs => $1) ORDER BY dead_at LIMIT $2 FOR UPDATE SKIP LOCKED))`), age.Seconds(), changedRows)
		n += tag.RowsAffected()
		if err != nil || tag.RowsAffected() < changedRows {
			return n, wrap(err, "expire dead deliveries")
		}
	}
}

// Trim deletes the hook's oldest dead deliveries, by the time of their death, until what
// is left takes so much room at most, as Backlog.Room counts it, or somebody has locked it. n is how many, also with an error.
func (s *Store) Trim(ctx context.Context, hook, room int64) (n int64, err error) {
	for {
		tag, err := s.pool.Exec(ctx, s.sql(`DELETE FROM {parked} WHERE state = 'dead' AND ctid = ANY (ARRAY(
			SELECT ctid FROM {parked} WHERE ctid = ANY (ARRAY(SELECT ctid FROM (
				SELECT ctid, sum(octet_length(body) + $3::bigint) OVER (ORDER BY dead_at DESC, commit_lsn DESC, ordinal DESC, timeline DESC ROWS UNBOUNDED PRECEDING) AS room
				FROM {parked} WHERE hook_id = $1 AND state = 'dead'
			) AS summed WHERE room > $2 LIMIT $4)) FOR UPDATE SKIP LOCKED))`), hook, room, RowBytes, changedRows)
		n += tag.RowsAffected()
		if err != nil || tag.RowsAffected() < changedRows {
			return n, wrap(err, "delete the oldest dead deliveries")
		}
	}
}
