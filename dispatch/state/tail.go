package state

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/mapping"
)

// Part says which part of a hook's parked deliveries to read.
type Part struct {
	Hook  int64
	After mapping.ID // the zero ID: from the first one on
	Rows  int        // at most
	Bytes int64      // of bodies, at most, but at least one row; 0: no limit
	// Bodies says that the rows are to have their bodies.
	Bodies bool
}

// Tail is a part of what is parked for a hook, in order. It is empty when nothing
// is left.
func (s *Store) Tail(ctx context.Context, p Part) ([]Row, error) {
	const inOrder = ` ORDER BY commit_lsn, ordinal, timeline`
	var (
		batch pgx.Batch
		rows  []Row
	)
	batch.Queue(planByKey)
	batch.Queue(s.sql(`SELECT `+bodyIf(p.Bodies)+` FROM (
			SELECT *, sum(octet_length(body)) OVER (`+inOrder+` ROWS UNBOUNDED PRECEDING) - octet_length(body) AS preceding
			FROM (SELECT * FROM {parked} p WHERE hook_id = $1 AND state = 'parked'
				AND (commit_lsn, ordinal, timeline) > ($2::text::pg_lsn, $3::bigint, $4::bigint) AND `+pending+inOrder+` LIMIT $5) AS part
		) AS summed WHERE $6 = 0 OR preceding < $6`+inOrder),
		p.Hook, p.After.Commit.String(), p.After.Ordinal, p.After.Timeline, p.Rows, p.Bytes,
	).Query(func(r pgx.Rows) (err error) {
		rows, err = pgx.CollectRows(r, scanRow)
		return err
	})
	err := s.pool.SendBatch(ctx, &batch).Close()
	return rows, wrap(err, "read parked deliveries")
}

// planByKey lets the server walk the key from where the part begins, until the
// end of the transaction. By itself it would read and sort all that comes after
// as long as the table's statistics are older than the backlog.
const planByKey = `SELECT set_config('enable_bitmapscan', 'off', true), set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true)`

// Bodies is the bodies of the hook's parked deliveries of these events. One that
// is missing was deleted, discarded or buried.
func (s *Store) Bodies(ctx context.Context, hook int64, events []mapping.ID) (map[mapping.ID][]byte, error) {
	list := make([]Key, len(events))
	for i, id := range events {
		list[i] = Key{hook, id}
	}
	k := keysOf(list)
	rows, err := s.pool.Query(ctx, s.sql(`SELECT timeline, commit_lsn, ordinal, body FROM {parked} p JOIN unnest(`+keyArrays+`) AS given (hook, branch, lsn, number)
		ON hook_id = hook AND commit_lsn = lsn::pg_lsn AND ordinal = number AND timeline = branch WHERE state = 'parked'`),
		k.hooks, k.timelines, k.commits, k.ordinals)
	if err != nil {
		return nil, wrap(err, "read bodies")
	}
	bodies := make(map[mapping.ID][]byte, len(events))
	var (
		id   mapping.ID
		body []byte
	)
	_, err = pgx.ForEachRow(rows, []any{&id.Timeline, &id.Commit, &id.Ordinal, &body}, func() error {
		bodies[id] = body
		return nil
	})
	return bodies, wrap(err, "read bodies")
}

// Redriven is parked deliveries that were redriven and not Taken yet, in the
// order of their hooks and events, without bodies, at most limit. Those that
// stand behind what a lane has read with Tail will come by Tail as well. Those that
// somebody has locked are left for another time.
func (s *Store) Redriven(ctx context.Context, limit int) ([]Row, error) {
	rows, err := s.rows(ctx, `SELECT `+columns+` FROM {parked} WHERE redriven ORDER BY hook_id, commit_lsn, ordinal, timeline LIMIT $1 FOR UPDATE SKIP LOCKED`, limit)
	return rows, wrap(err, "read redriven deliveries")
}

// Taken says that the lanes have what Redriven returned, and need not be told again, but
// of what somebody has locked since.
func (s *Store) Taken(ctx context.Context, list []Key) error {
	k := keysOf(list)
	_, err := s.pool.Exec(ctx, s.sql(`UPDATE {parked} SET redriven = false WHERE ctid = ANY (ARRAY(SELECT p.ctid FROM {parked} p JOIN unnest(`+keyArrays+`)
		AS given (hook, timeline, lsn, ordinal) ON `+matched+` WHERE p.redriven FOR UPDATE OF p SKIP LOCKED))`), k.hooks, k.timelines, k.commits, k.ordinals)
	return wrap(err, "take redriven deliveries")
}

// Backlog is what is stored for one hook.
type Backlog struct {
	Hook   int64
	Parked Volume
	Dead   Volume
}

// Volume is an amount of deliveries.
type Volume struct {
	Rows   int64
	Bytes  int64     // of their bodies
	Oldest time.Time // when the first of their events was committed; zero: there are none
}

// Backlogs is what is stored for each hook that has anything stored, in the order
// of the hooks. It reads the whole table: it is for the start and for people.
func (s *Store) Backlogs(ctx context.Context) ([]Backlog, error) {
	rows, err := s.pool.Query(ctx, s.sql(`SELECT hook_id,
			count(*) FILTER (WHERE state = 'parked'), coalesce(sum(octet_length(body)) FILTER (WHERE state = 'parked'), 0), min(committed_at) FILTER (WHERE state = 'parked'),
			count(*) FILTER (WHERE state = 'dead'), coalesce(sum(octet_length(body)) FILTER (WHERE state = 'dead'), 0), min(committed_at) FILTER (WHERE state = 'dead')
		FROM {parked} GROUP BY hook_id ORDER BY hook_id`))
	if err != nil {
		return nil, wrap(err, "count deliveries")
	}
	backlogs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (b Backlog, err error) {
		var parked, dead moment
		err = row.Scan(&b.Hook, &b.Parked.Rows, &b.Parked.Bytes, &parked, &b.Dead.Rows, &b.Dead.Bytes, &dead)
		b.Parked.Oldest, b.Dead.Oldest = parked.time(), dead.time()
		return b, err
	})
	return backlogs, wrap(err, "count deliveries")
}

// Room is the space that the hook's parked deliveries take, rows included.
func (s *Store) Room(ctx context.Context, hook int64) (n int64, err error) {
	err = s.pool.QueryRow(ctx, s.sql(`SELECT coalesce(sum(octet_length(body) + $2::bigint), 0) FROM {parked} WHERE hook_id = $1 AND state = 'parked'`), hook, RowBytes).Scan(&n)
	return n, wrap(err, "count bytes")
}

// bodyIf is the columns of a Row, with the body or without.
func bodyIf(body bool) string {
	if body {
		return columns + ", body"
	}
	return columns
}

// rows runs a query for columns, and perhaps the body after them.
func (s *Store) rows(ctx context.Context, sql string, args ...any) ([]Row, error) {
	rows, err := s.pool.Query(ctx, s.sql(sql), args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanRow)
}
