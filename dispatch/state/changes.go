package state

import (
	"cmp"
	"time"

	"github.com/jackc/pgx/v5"
)

// queue returns the batch's statements; noted are deliveries of the batch that finish has
// recorded as done.
func (s *Store) queue(b Batch, noted []Key) *pgx.Batch {
	var queue pgx.Batch
	if len(b.Insert) > 0 {
		queue.Queue(s.sql(insertSQL), inserted(b.Insert)...)
	}
	if len(b.Update) > 0 {
		queue.Queue(s.sql(updateSQL), attempted(b.Update, column(b.Update, func(a *Attempt) *time.Time { return orNull(a.Next) }))...)
	}
	if len(b.Bury) > 0 {
		queue.Queue(s.sql(burySQL), attempted(b.Bury, column(b.Bury, func(a *Attempt) string { return plain(a.Reason) }), column(b.Bury, func(a *Attempt) bool { return a.Bodiless }))...)
	}
	if len(b.Delete) > 0 {
		queue.Queue(s.sql(deleteSQL), keyed(b.Delete)...)
	}
	if len(noted) > 0 { // the transaction handles them itself
		queue.Queue(s.sql(undoneSQL), keyed(noted)...)
	}
	return &queue
}

const insertSQL = `INSERT INTO {parked} (hook_id, timeline, commit_lsn, ordinal, event_id, action, project_id, task_id,
		committed_at, body, bytes, attempts, added_at, next_attempt_at, last_result, last_status, state, reason, dead_at)
	SELECT hook, timeline, lsn::pg_lsn, ordinal, event, action, project, task,
		committed, body, octet_length(body), attempts, added, next, result, status, state, reason, CASE state WHEN 'dead' THEN now() END
	FROM unnest(` + keyArrays + `, $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::timestamptz[],
		$10::bytea[], $11::int[], $12::timestamptz[], $13::timestamptz[], $14::text[], $15::int[], $16::text[], $17::text[])
		AS new (hook, timeline, lsn, ordinal, event, action, project, task, committed, body, attempts, added, next, result, status, state, reason)
	ON CONFLICT DO NOTHING`

func inserted(rows []Row) []any {
	return keyed(rows,
		column(rows, func(r *Row) string { return r.Event.String() }),
		column(rows, func(r *Row) string { return plain(string(r.Action)) }),
		column(rows, func(r *Row) int64 { return r.Project }),
		column(rows, func(r *Row) int64 { return r.Task }),
		column(rows, func(r *Row) time.Time { return bounded(r.Committed) }),
		column(rows, func(r *Row) []byte { return r.Body.AppendTo([]byte{}) }),
		column(rows, func(r *Row) int { return counted(r.Attempts) }),
		column(rows, func(r *Row) time.Time { return bounded(r.Added) }),
		column(rows, func(r *Row) *time.Time { return orNull(r.Next) }),
		column(rows, func(r *Row) string { return plain(r.LastResult) }),
		column(rows, func(r *Row) int { return r.LastStatus }),
		column(rows, func(r *Row) string { return string(cmp.Or(r.State, Parked)) }),
		column(rows, func(r *Row) string { return plain(r.Reason) }),
	)
}

const updateSQL = `UPDATE {parked} p SET attempts = made, next_attempt_at = next, last_result = result, last_status = status
	FROM unnest(` + keyArrays + `, $5::int[], $6::text[], $7::int[], $8::timestamptz[])
		AS given (hook, timeline, lsn, ordinal, made, result, status, next)
	WHERE p.state = 'parked' AND ` + matched

const burySQL = `UPDATE {parked} p SET state = 'dead', dead_at = now(), redriven = false,
		attempts = made, next_attempt_at = NULL, last_result = result, last_status = status, reason = given.reason,
		body = CASE WHEN bodiless THEN '' ELSE body END, bytes = CASE WHEN bodiless THEN 0 ELSE bytes END
	FROM unnest(` + keyArrays + `, $5::int[], $6::text[], $7::int[], $8::text[], $9::bool[])
		AS given (hook, timeline, lsn, ordinal, made, result, status, reason, bodiless)
	WHERE p.state = 'parked' AND ` + matched

// attempted returns the parameters that updateSQL and burySQL share, and more.
func attempted(list []Attempt, more ...any) []any {
	return append(keyed(list,
		column(list, func(a *Attempt) int { return counted(a.Attempts) }),
		column(list, func(a *Attempt) string { return plain(a.LastResult) }),
		column(list, func(a *Attempt) int { return a.LastStatus }),
	), more...)
}

const (
	deleteSQL = `DELETE FROM {parked} p USING unnest(` + keyArrays + `) AS given (hook, timeline, lsn, ordinal) WHERE ` + matched
	undoneSQL = `DELETE FROM {done} p USING unnest(` + keyArrays + `) AS given (hook, timeline, lsn, ordinal) WHERE ` + matched
)
