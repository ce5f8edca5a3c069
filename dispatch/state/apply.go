package state

import (
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
	err = s.locked(ctx, b.keys(), err)
	if fault, ok := errors.AsType[*LockedError](err); ok {
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

// queue returns the batch's statements.
func (s *Store) queue(b Batch, noted []Key) *pgx.Batch {
	var queue pgx.Batch
	if len(b.Insert) > 0 {
		s.insert(&queue, b.Insert)
	}
	if len(b.Update) > 0 {
		s.update(&queue, b.Update)
	}
	if len(b.Bury) > 0 {
		s.bury(&queue, b.Bury)
	}
	if len(b.Delete) > 0 {
		s.delete(&queue, b.Delete)
	}
	if len(noted) > 0 {
		s.undo(&queue, noted)
	}
	return &queue
}

const insertSQL = `INSERT INTO {parked} (hook_id, timeline, commit_lsn, ordinal, event_id, action, project_id, task_id,
		committed_at, body, bytes, attempts, added_at, next_attempt_at, last_result, last_status, state, reason, dead_at)
	SELECT hook, timeline, lsn::pg_lsn, ordinal, event, action, project, task,
		committed, body, octet_length(body), attempts, added, next, result, status, state, reason, CASE state WHEN 'dead' THEN now() END
	FROM unnest($1::bigint[], $2::int[], $3::text[], $4::int[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::timestamptz[],
		$10::bytea[], $11::int[], $12::timestamptz[], $13::timestamptz[], $14::text[], $15::int[], $16::text[], $17::text[])
		AS new (hook, timeline, lsn, ordinal, event, action, project, task, committed, body, attempts, added, next, result, status, state, reason)
	ON CONFLICT DO NOTHING`

func (s *Store) insert(queue *pgx.Batch, rows []Row) {
	k := newKeys(len(rows))
	var (
		events       = make([]string, len(rows))
		actions      = make([]string, len(rows))
		projects     = make([]int64, len(rows))
		tasks        = make([]int64, len(rows))
		committed    = make([]time.Time, len(rows))
		bodies       = make([][]byte, len(rows))
		attempts     = make([]int, len(rows))
		added        = make([]time.Time, len(rows))
		next         = make([]*time.Time, len(rows))
		lastResults  = make([]string, len(rows))
		lastStatuses = make([]int, len(rows))
		states       = make([]string, len(rows))
		reasons      = make([]string, len(rows))
	)
	for i := range rows {
		r := &rows[i]
		k.set(i, r.Key)
		events[i], actions[i], projects[i], tasks[i] = r.Event.String(), plain(string(r.Action)), r.Project, r.Task
		committed[i], bodies[i] = bounded(r.Committed), r.Body.AppendTo([]byte{})
		attempts[i], added[i], next[i] = counted(r.Attempts), bounded(r.Added), orNull(r.Next)
		lastResults[i], lastStatuses[i], reasons[i] = plain(r.LastResult), r.LastStatus, plain(r.Reason)
		states[i] = string(Parked)
		if r.State == Dead {
			states[i] = string(Dead)
		}
	}
	queue.Queue(s.sql(insertSQL), k.hooks, k.timelines, k.commits, k.ordinals, events, actions, projects, tasks,
		committed, bodies, attempts, added, next, lastResults, lastStatuses, states, reasons)
}
