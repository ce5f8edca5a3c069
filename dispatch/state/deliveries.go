package state

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/mapping"
)

// Filter says which stored deliveries are meant. The zero value of a field means
// any, and so the zero Filter all.
type Filter struct {
	Hook   int64
	Event  mapping.ID
	Action mapping.Action // as the hook spells it
	State  State
	Since  time.Time // committed then or later
	Until  time.Time // committed before
	Task   int64
	Reason string
	Limit  int // the first so many, in the order of hooks and events

	Annotation int64 // of which the body speaks first: all that is meant otherwise is read
}

// where is the condition, with its parameters.
func (f Filter) where() (sql string, args []any) {
	conditions := []string{"true"}
	add := func(condition string, arg any) {
		args = append(args, arg)
		conditions = append(conditions, fmt.Sprintf(condition, len(args)))
	}
	if f.Hook != 0 {
		add("hook_id = $%d", f.Hook)
	}
	if f.Event != (mapping.ID{}) {
		add("commit_lsn = $%d::text::pg_lsn", f.Event.Commit.String())
		add("ordinal = $%d", f.Event.Ordinal)
		add("timeline = $%d", f.Event.Timeline)
	}
	if f.Action != "" {
		add("action = $%d", string(f.Action))
	}
	if f.State != "" {
		add("state = $%d", string(f.State))
	}
	if !f.Since.IsZero() {
		add("committed_at >= $%d", f.Since)
	}
	if !f.Until.IsZero() {
		add("committed_at < $%d", f.Until)
	}
	if f.Task != 0 {
		add("task_id = $%d", f.Task)
	}
	if f.Reason != "" {
		add("reason = $%d", f.Reason)
	}
	if f.Annotation != 0 {
		add(`encode(substring(body FOR 128), 'escape') ~ ('"annotations?": \[?{"id": ' || $%d::bigint || '[,}]')`, f.Annotation)
	}
	return strings.Join(conditions, " AND "), args
}

// first is the order and the limit that follow the condition.
func (f Filter) first() string {
	order := " ORDER BY hook_id, commit_lsn, ordinal, timeline"
	if f.Limit > 0 {
		order += fmt.Sprintf(" LIMIT %d", f.Limit)
	}
	return order
}

// List is the stored deliveries that the filter means, in the order of hooks and
// events, without bodies.
func (s *Store) List(ctx context.Context, f Filter) ([]Row, error) {
	where, args := f.where()
	rows, err := s.rows(ctx, `SELECT `+columns+` FROM {parked} WHERE `+where+f.first(), args...)
	return rows, wrap(err, "list deliveries")
}

// Show is the stored deliveries of one event with their bodies: to one hook, or,
// if that is 0, to all that have it. There may be none.
func (s *Store) Show(ctx context.Context, hook int64, event mapping.ID) ([]Row, error) {
	f := Filter{Hook: hook, Event: event}
	where, args := f.where()
	rows, err := s.rows(ctx, `SELECT `+columns+`, body FROM {parked} WHERE `+where+f.first(), args...)
	return rows, wrap(err, "show deliveries")
}

// Redrive parks dead deliveries again, as if never attempted, and tells the
// hooktail that runs. They keep their ids and their places in the order; what was
// delivered meanwhile is not sent again. Only the dead among what the filter
// means are redriven, and only those whose body was kept. n is how many; a dry
// run only counts them.
func (s *Store) Redrive(ctx context.Context, f Filter, dryRun bool) (n int64, err error) {
	f.State = Dead
	where, args := f.where()
	n, err = s.change(ctx, f, where+" AND octet_length(body) > 0", args, dryRun, `UPDATE {parked} SET state = 'parked', dead_at = NULL, reason = '',
		attempts = 0, added_at = now(), next_attempt_at = NULL, redriven = true`)
	return n, wrap(err, "redrive deliveries")
}

// Discard deletes stored deliveries for good, parked ones too where the filter
// means them. One that a lane has in its hands at that moment may be delivered
// all the same. n is how many; a dry run only counts them.
func (s *Store) Discard(ctx context.Context, f Filter, dryRun bool) (n int64, err error) {
	where, args := f.where()
	n, err = s.change(ctx, f, where, args, dryRun, `DELETE FROM {parked}`)
	return n, wrap(err, "discard deliveries")
}

// changedRows bounds the transactions of what people change and what expires: a running
// hooktail waits for the rows that they lock.
const changedRows = 10_000

// change runs the statement on the rows that are meant, some at a time, and tells the
// hooktail that runs; a dry run only counts them. Each time the statement has to leave
// less that is meant. n is how many, also with an error.
func (s *Store) change(ctx context.Context, f Filter, where string, args []any, dryRun bool, statement string) (n int64, err error) {
	if dryRun {
		err = s.pool.QueryRow(ctx, s.sql(`SELECT count(*) FROM (SELECT FROM {parked} WHERE `+where+f.first()+`) AS meant`), args...).Scan(&n)
		return n, err
	}
	most := int64(f.Limit) // that are left to change; 0: no limit
	for {
		f.Limit = changedRows
		if most > 0 {
			f.Limit = int(min(most-n, changedRows))
		}
		changed, err := s.changeSome(ctx, statement+` WHERE ctid = ANY (ARRAY(SELECT ctid FROM {parked} WHERE `+where+f.first()+` FOR UPDATE))`, args)
		n += changed
		if err != nil || changed < int64(f.Limit) || n == most {
			return n, err
		}
	}
}

func (s *Store) changeSome(ctx context.Context, sql string, args []any) (n int64, err error) {
	err = s.patient(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, s.sql(sql), args...)
		if err != nil {
			return err
		}
		n = tag.RowsAffected()
		return s.tell(ctx, tx)
	})
	return n, err
}
