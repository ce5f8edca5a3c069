package state

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/mapping"
)

// Filter selects stored deliveries. The zero value of a field matches any, and so the
// zero Filter all.
type Filter struct {
	Hook   int64
	Event  mapping.ID
	Action mapping.Action // in the hook's spelling
	State  State
	Since  time.Time // committed at this time or later
	Until  time.Time // committed before
	Task   int64
	Reason string
	Limit  int // only the first ones, in the order of hooks and events

	Annotation int64 // first annotation in the body; scans all other matches
}

// where returns the condition and its parameters.
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

// first returns the order and the limit that follow the condition.
func (f Filter) first() string {
	order := " ORDER BY hook_id, commit_lsn, ordinal, timeline"
	if f.Limit > 0 {
		order += fmt.Sprintf(" LIMIT %d", f.Limit)
	}
	return order
}

// List returns the matching deliveries, in the order of hooks and events, without bodies.
func (s *Store) List(ctx context.Context, f Filter) ([]Row, error) {
	where, args := f.where()
	rows, err := s.rows(ctx, `SELECT `+columns+` FROM {parked} WHERE `+where+f.first(), args...)
	return rows, wrap(err, "list deliveries")
}

// Show returns the stored deliveries of one event with their bodies, for one hook, or for
// all if hook is 0. There may be none.
func (s *Store) Show(ctx context.Context, hook int64, event mapping.ID) ([]Row, error) {
	f := Filter{Hook: hook, Event: event}
	where, args := f.where()
	rows, err := s.rows(ctx, `SELECT `+columns+`, body FROM {parked} WHERE `+where+f.first(), args...)
	return rows, wrap(err, "show deliveries")
}

// Redrive parks matching dead deliveries again, as if never attempted, and notifies the
// running hooktail. They keep their ids and their places in the order; deliveries made
// meanwhile are not repeated. Deliveries without a stored body are skipped. n is their
// number; a dry run only counts.
func (s *Store) Redrive(ctx context.Context, f Filter, dryRun bool) (n int64, err error) {
	f.State = Dead
	where, args := f.where()
	n, err = s.change(ctx, f, where+" AND octet_length(body) > 0", args, dryRun, `UPDATE {parked} SET state = 'parked', dead_at = NULL, reason = '',
		attempts = 0, added_at = now(), next_attempt_at = NULL, redriven = true`)
	return n, wrap(err, "redrive deliveries")
}

// Discard permanently deletes matching deliveries, parked ones only if the filter selects
// them. One that a lane is attempting may still be delivered. n is their number; a dry
// run only counts.
func (s *Store) Discard(ctx context.Context, f Filter, dryRun bool) (n int64, err error) {
	where, args := f.where()
	n, err = s.change(ctx, f, where, args, dryRun, `DELETE FROM {parked}`)
	return n, wrap(err, "discard deliveries")
}

// changedRows bounds the transactions of people's changes and of expiry: a running
// hooktail waits for the rows that they lock.
const changedRows = 10_000

// change runs the statement on the matching rows, in several steps, and notifies the
// running hooktail; a dry run only counts. Each step must leave fewer matching rows. n is
// their number, also with an error.
func (s *Store) change(ctx context.Context, f Filter, where string, args []any, dryRun bool, statement string) (n int64, err error) {
	if dryRun {
		err = s.pool.QueryRow(ctx, s.sql(`SELECT count(*) FROM (SELECT FROM {parked} WHERE `+where+f.first()+`) AS meant`), args...).Scan(&n)
		return n, err
	}
	most := int64(f.Limit) // still to change; 0: no limit
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
