package state

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/mapping"
)

// Part selects a part of a hook's parked deliveries.
type Part struct {
	Hook  int64
	After mapping.ID // the zero ID: from the first one on
	Rows  int        // maximum number
}

// Tail returns a part of a hook's parked deliveries, in order and without bodies. It is
// empty if nothing is left.
func (s *Store) Tail(ctx context.Context, p Part) ([]Row, error) {
	var (
		batch pgx.Batch
		rows  []Row
	)
	batch.Queue(planByKey)
	batch.Queue(s.sql(`SELECT `+columns+` FROM {parked} p WHERE hook_id = $1 AND state = 'parked'
		AND (commit_lsn, ordinal, timeline) > ($2::text::pg_lsn, $3::bigint, $4::bigint) AND `+pending+` ORDER BY commit_lsn, ordinal, timeline LIMIT $5`),
		p.Hook, p.After.Commit.String(), p.After.Ordinal, p.After.Timeline, p.Rows,
	).Query(func(r pgx.Rows) (err error) {
		rows, err = pgx.CollectRows(r, scanRow)
		return err
	})
	err := s.pool.SendBatch(ctx, &batch).Close()
	return rows, wrap(err, "read parked deliveries")
}

// planByKey makes the server scan the key from the beginning of the part, until the end
// of the transaction. Otherwise it would read and sort everything after it as long as the
// table's statistics are older than the backlog.
const planByKey = `SELECT set_config('enable_bitmapscan', 'off', true), set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true)`

// Bodies returns the bodies of the hook's parked deliveries of these events. A missing
// one was deleted, discarded or buried.
func (s *Store) Bodies(ctx context.Context, hook int64, events []mapping.ID) (map[mapping.ID][]byte, error) {
	list := column(events, func(id *mapping.ID) Key { return Key{hook, *id} })
	rows, _ := s.pool.Query(ctx, s.sql(`SELECT timeline, commit_lsn, ordinal, body FROM {parked} p JOIN unnest(`+keyArrays+`) AS given (hook, branch, lsn, number)
		ON hook_id = hook AND commit_lsn = lsn::pg_lsn AND ordinal = number AND timeline = branch WHERE state = 'parked'`),
		keyed(list)...) // its error is that of the rows
	bodies := make(map[mapping.ID][]byte, len(events))
	var (
		id   mapping.ID
		body []byte
	)
	_, err := pgx.ForEachRow(rows, []any{&id.Timeline, &id.Commit, &id.Ordinal, &body}, func() error {
		bodies[id] = body
		return nil
	})
	return bodies, wrap(err, "read bodies")
}

// rows runs a query for columns, optionally followed by the body.
func (s *Store) rows(ctx context.Context, sql string, args ...any) ([]Row, error) {
	return collect(ctx, s.pool, scanRow, s.sql(sql), args...)
}
