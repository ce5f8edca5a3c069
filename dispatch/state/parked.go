package state

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc"
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
	rows, err := s.rowsByKey(ctx, `SELECT `+columns+` FROM {parked} p WHERE hook_id = $1 AND state = 'parked'
		AND (commit_lsn, ordinal, timeline) > ($2::text::pg_lsn, $3::bigint, $4::bigint) AND `+pending+` ORDER BY commit_lsn, ordinal, timeline LIMIT $5`,
		p.Hook, p.After.Commit.String(), p.After.Ordinal, p.After.Timeline, p.Rows)
	return rows, wrap(err, "read parked deliveries")
}

// rowsByKey is rows for a query in the order of the key, which the server scans from the
// beginning of the part.
func (s *Store) rowsByKey(ctx context.Context, sql string, args ...any) (rows []Row, err error) {
	var batch pgx.Batch
	batch.Queue(planByKey)
	batch.Queue(s.sql(sql), args...).Query(func(r pgx.Rows) (err error) {
		rows, err = pgx.CollectRows(r, scanRow)
		return err
	})
	err = s.pool.SendBatch(ctx, &batch).Close()
	return rows, err //nolint:wrapcheck // the caller wraps it
}

// planByKey makes the server scan the key until the end of the transaction. Otherwise it
// would read and sort everything after the part's beginning as long as the table's
// statistics are older than the backlog.
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

// Heads selects parked deliveries of a hook that were never attempted and wait for no
// other: the first one of a task, if no event of its whole project precedes it; or an
// event of a whole project, if no event of the project precedes it.
type Heads struct {
	Hook   int64
	Upto   cdc.LSN // later commits are ignored
	Rows   int     // maximum number
	Passed []Task  // tasks for which no other has to wait
	Known  []Task  // tasks whose heads are not returned
}

// Task names a task of a project; Task 0 is the whole project.
type Task struct{ Project, Task int64 }

// Heads returns the newest heads, newest first, without bodies. It reads all parked
// deliveries of the hook: half a million rows take the server 0.65 s. An index by task
// would reduce this to 0.12 s, and slow down parking by a third.
func (s *Store) Heads(ctx context.Context, h Heads) ([]Row, error) {
	project, task := func(t *Task) int64 { return t.Project }, func(t *Task) int64 { return t.Task }
	rows, err := s.rows(ctx, headsSQL, h.Hook, h.Upto.String(), h.Rows,
		column(h.Passed, project), column(h.Passed, task), column(h.Known, project), column(h.Known, task))
	return rows, wrap(err, "find heads")
}

// headsSQL: what waits for any event of a task also waits for the task's first event.
const headsSQL = `WITH passed (project_id, task_id) AS (SELECT * FROM unnest($4::bigint[], $5::bigint[])),
	known (project_id, task_id) AS (SELECT * FROM unnest($6::bigint[], $7::bigint[])),
	firsts AS MATERIALIZED (SELECT DISTINCT ON (project_id, task_id) project_id, task_id, commit_lsn, ordinal, timeline, attempts FROM {parked} p
		WHERE hook_id = $1 AND state = 'parked' AND ` + pending + ` ORDER BY project_id, task_id, commit_lsn, ordinal, timeline),
	barring AS MATERIALIZED (SELECT * FROM firsts WHERE (project_id, task_id) NOT IN (SELECT * FROM passed)),
	barriers AS MATERIALIZED (SELECT * FROM barring WHERE task_id = 0),
	heads AS (SELECT commit_lsn, ordinal, timeline FROM barring c
		WHERE attempts = 0 AND commit_lsn <= $2::text::pg_lsn AND (project_id, task_id) NOT IN (SELECT * FROM known)
			AND NOT EXISTS (SELECT FROM barriers b WHERE b.project_id = c.project_id AND (b.commit_lsn, b.ordinal, b.timeline) < (c.commit_lsn, c.ordinal, c.timeline))
			AND (task_id <> 0 OR NOT EXISTS (SELECT FROM barring b WHERE b.project_id = c.project_id AND (b.commit_lsn, b.ordinal, b.timeline) < (c.commit_lsn, c.ordinal, c.timeline)))
		ORDER BY commit_lsn DESC, ordinal DESC, timeline DESC LIMIT $3)
	SELECT ` + columns + ` FROM {parked} WHERE hook_id = $1 AND state = 'parked' AND (commit_lsn, ordinal, timeline) IN (SELECT * FROM heads)
	ORDER BY commit_lsn DESC, ordinal DESC, timeline DESC`

// Redriven returns parked deliveries that were redriven and not yet Taken, in the order
// of their hooks and events, without bodies, at most limit. Those beyond what a lane has
// read with Tail will be returned by Tail as well. Locked ones are left for a later call.
func (s *Store) Redriven(ctx context.Context, limit int) ([]Row, error) {
	rows, err := s.rows(ctx, `SELECT `+columns+` FROM {parked} WHERE redriven AND `+inPartitions("$2")+` ORDER BY hook_id, commit_lsn, ordinal, timeline LIMIT $1 FOR UPDATE SKIP LOCKED`, limit, s.partitions)
	return rows, wrap(err, "read redriven deliveries")
}

// Taken states that the lanes have the result of Redriven, which is not returned again,
// except rows that were locked since.
func (s *Store) Taken(ctx context.Context, list []Key) error {
	// Each row by its key: statistics from before a redrive say that hardly a row is redriven, and
	// a join would read all of them for each call.
	_, err := s.pool.Exec(ctx, s.sql(`UPDATE {parked} SET redriven = false WHERE ctid = ANY (ARRAY(SELECT found.ctid FROM unnest(`+keyArrays+`)
		AS given (hook, timeline, lsn, ordinal) CROSS JOIN LATERAL (SELECT p.ctid FROM {parked} p WHERE `+matched+` AND p.redriven FOR UPDATE SKIP LOCKED) AS found))`), keyed(list)...)
	return wrap(err, "take redriven deliveries")
}
