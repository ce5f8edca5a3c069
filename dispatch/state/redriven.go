package state

import "context"

// Redriven returns parked deliveries that were redriven and not yet Taken, in the order
// of their hooks and events, without bodies, at most limit. Those beyond what a lane has
// read with Tail will be returned by Tail as well. Locked ones are left for a later call.
func (s *Store) Redriven(ctx context.Context, limit int) ([]Row, error) {
	rows, err := s.rows(ctx, `SELECT `+columns+` FROM {parked} WHERE redriven AND `+inPartitions("$2")+` ORDER BY hook_id, commit_lsn, ordinal, timeline LIMIT $1 FOR UPDATE SKIP LOCKED`, limit, s.share.partitions())
	return rows, wrap(err, "read redriven deliveries")
}

// Taken states that the lanes have the result of Redriven, which is not returned again,
// except rows that were locked since.
func (s *Store) Taken(ctx context.Context, list []Key) error {
	_, err := s.pool.Exec(ctx, s.sql(`UPDATE {parked} SET redriven = false WHERE ctid = ANY (ARRAY(SELECT p.ctid FROM {parked} p JOIN unnest(`+keyArrays+`)
		AS given (hook, timeline, lsn, ordinal) ON `+matched+` WHERE p.redriven FOR UPDATE OF p SKIP LOCKED))`), keyed(list)...)
	return wrap(err, "take redriven deliveries")
}
