package state

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// Batch is a set of changes with distinct keys. Rows to insert are copied to the
// connection one by one; if some of them are stored already, this is impossible, and the
// batch takes about four times the memory of its bodies while it is sent.
type Batch struct {
	Insert []Row     // parked, or dead from the beginning
	Update []Attempt // failed attempts of stored deliveries
	Bury   []Attempt // last attempts
	Delete []Key     // delivered, or no longer wanted

	AtOnce bool // do not wait for locks at all
}

// Attempt is the record of a failed attempt.
type Attempt struct {
	Key
	Attempts   int       // number of attempts, including this one
	Next       time.Time // zero: as soon as it is its turn; ignored by Bury
	LastResult string
	LastStatus int
	Reason     string // reason of death; ignored by Update
	Bodiless   bool   // drop the body; ignored by Update
}

// Apply makes all changes of the batch in one transaction, or none and returns an error.
// After an error the changes may still have been made: the connection may have ended
// between the commit and its confirmation. So a batch may be applied again; rows already
// stored are left alone, and missing rows are skipped. IsRefused identifies errors for
// which that is useless.
//
// It waits for locks for at most a second, and then returns a *LockedError: an open
// transaction of another session only delays deliveries whose rows it has locked. Those
// of them that were to be deleted or buried have been recorded as done: neither Tail nor
// Heads returns them again, in this run or a later one.
func (s *Store) Apply(ctx context.Context, b Batch) error {
	for i := range b.Insert {
		if bytes := b.Insert[i].Body.Len(); bytes > maxBody {
			return wrap(&tooLargeError{bytes}, "park")
		}
	}
	noted := s.done.of(b.keys())
	err := s.apply(ctx, b, noted)
	if err == nil {
		s.done.remove(noted)
		return nil
	}
	if fault, ok := errors.AsType[*LockedError](err); ok {
		s.explain(ctx, b.keys(), fault)
		if undone := s.finish(ctx, b, fault.Keys); undone != nil {
			err = undone
		}
	}
	return wrap(err, "park")
}

// apply is Apply without handling of locks; noted are deliveries of the batch that finish
// has recorded as done.
func (s *Store) apply(ctx context.Context, b Batch, noted []Key) error {
	if len(b.Insert) >= copied {
		if done, err := s.copy(ctx, b, noted); done || err != nil {
			return err
		}
	}
	queue := s.queue(b, noted)
	if queue.Len() == 0 {
		return nil
	}
	return s.bounded(ctx, b.AtOnce, func(tx pgx.Tx) error { return tx.SendBatch(ctx, queue).Close() })
}

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

// The keys are the first four parameters of a statement, as arrays, and appear in it as the
// table given with the columns hook, timeline, lsn, ordinal. matched joins the rows.
const (
	keyArrays = `$1::bigint[], $2::int[], $3::text[], $4::int[]`
	matched   = `p.hook_id = hook AND p.commit_lsn = lsn::pg_lsn AND p.ordinal = given.ordinal AND p.timeline = given.timeline`
)

// key is for keyed, and for types that embed a Key.
func (k Key) key() Key { return k }

// keyed returns the parameters of a statement on the elements of the list: the arrays of
// their keys, and more.
func keyed[T interface{ key() Key }](list []T, more ...any) []any {
	return append(append(make([]any, 0, 4+len(more)),
		column(list, func(e *T) int64 { return (*e).key().Hook }),
		column(list, func(e *T) int32 { return (*e).key().Event.Timeline }),
		column(list, func(e *T) string { return (*e).key().Event.Commit.String() }),
		column(list, func(e *T) int { return (*e).key().Event.Ordinal }),
	), more...)
}

// column returns a value of each element, as an array of the database.
func column[T, V any](list []T, of func(*T) V) []V {
	values := make([]V, len(list))
	for i := range list {
		values[i] = of(&list[i])
	}
	return values
}
