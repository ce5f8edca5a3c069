package state

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/mapping"
)

// Backlog is the number and size of a hook's stored deliveries.
type Backlog struct {
	Hook   int64
	Parked Volume
	Dead   Volume
	End    cdc.LSN // end of the server's WAL then; a later commit is another server's, from which the tables were copied
}

// Volume is the number and size of deliveries.
type Volume struct {
	Rows   int64
	Bytes  int64     // of the bodies
	Oldest time.Time // commit of the oldest event; zero: none
}

// Backlogs returns the backlog of each hook with stored deliveries, in the order of the
// hooks. It reads the whole table, so it is only for the start and for people.
func (s *Store) Backlogs(ctx context.Context) ([]Backlog, error) {
	backlogs, err := collect(ctx, s.pool, scanBacklog, s.sql(`SELECT hook_id,
			count(*) FILTER (WHERE state = 'parked'), coalesce(sum(octet_length(body)) FILTER (WHERE state = 'parked'), 0), min(committed_at) FILTER (WHERE state = 'parked'),
			count(*) FILTER (WHERE state = 'dead'), coalesce(sum(octet_length(body)) FILTER (WHERE state = 'dead'), 0), min(committed_at) FILTER (WHERE state = 'dead'),
			CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END
		FROM {parked} WHERE `+inPartitions("$1")+` GROUP BY hook_id ORDER BY hook_id`), s.partitions)
	return backlogs, wrap(err, "count deliveries")
}

func scanBacklog(row pgx.CollectableRow) (b Backlog, err error) {
	err = row.Scan(&b.Hook, &b.Parked.Rows, &b.Parked.Bytes, (*moment)(&b.Parked.Oldest), &b.Dead.Rows, &b.Dead.Bytes, (*moment)(&b.Dead.Oldest), &b.End)
	return b, err
}

// Room returns the space that the hook's parked deliveries take, including rows.
func (s *Store) Room(ctx context.Context, hook int64) (n int64, err error) {
	err = s.pool.QueryRow(ctx, s.sql(`SELECT coalesce(sum(octet_length(body) + $2::bigint), 0) FROM {parked} WHERE hook_id = $1 AND state = 'parked'`), hook, RowBytes).Scan(&n)
	return n, wrap(err, "count bytes")
}

// RowBytes is the approximate size of a row without its body, so that deliveries without
// payload are bounded, too.
const RowBytes = 256

// Room returns the space that the deliveries take, including rows.
func (v Volume) Room() int64 { return v.Bytes + RowBytes*v.Rows }

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
	sql = "true"
	add := func(given bool, condition string, arg any) {
		if given {
			args = append(args, arg)
			sql += " AND " + fmt.Sprintf(condition, len(args))
		}
	}
	event := f.Event != mapping.ID{}
	add(f.Hook != 0, "hook_id = $%d", f.Hook)
	add(event, "commit_lsn = $%d::text::pg_lsn", f.Event.Commit.String())
	add(event, "ordinal = $%d", f.Event.Ordinal)
	add(event, "timeline = $%d", f.Event.Timeline)
	add(f.Action != "", "action = $%d", string(f.Action))
	add(f.State != "", "state = $%d", string(f.State))
	add(!f.Since.IsZero(), "committed_at >= $%d", f.Since)
	add(!f.Until.IsZero(), "committed_at < $%d", f.Until)
	add(f.Task != 0, "task_id = $%d", f.Task)
	add(f.Reason != "", "reason = $%d", f.Reason)
	add(f.Annotation != 0, `encode(substring(body FOR 128), 'escape') ~ ('"annotations?": \[?{"id": ' || $%d::bigint || '[,}]')`, f.Annotation)
	return sql, args
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
	rows, err := s.matching(ctx, f, columns)
	return rows, wrap(err, "list deliveries")
}

// pageRows is the number of deliveries that Pages holds at a time.
const pageRows = 5000

// Pages calls do with the matching deliveries, as List returns them, page by page: there
// may be many, and whoever asks may run beside a hooktail that has little memory. Deliveries
// that are stored meanwhile may be among them.
func (s *Store) Pages(ctx context.Context, f Filter, do func([]Row) error) error {
	where, args := f.where()
	for left := f.Limit; ; {
		f.Limit = pageRows
		if left > 0 {
			f.Limit = min(left, pageRows)
		}
		rows, err := s.rowsByKey(ctx, `SELECT `+columns+` FROM {parked} WHERE `+where+f.first(), args...)
		if err != nil {
			return fmt.Errorf("list deliveries: %w", err)
		}
		if len(rows) > 0 {
			if err := do(rows); err != nil {
				return err
			}
		}
		if len(rows) < f.Limit || len(rows) == left {
			return nil
		}
		left = max(left-len(rows), 0)
		where, args = f.where()
		last := rows[len(rows)-1].Key
		where += fmt.Sprintf(" AND (hook_id, commit_lsn, ordinal, timeline) > ($%d::bigint, $%d::text::pg_lsn, $%d::bigint, $%d::bigint)", len(args)+1, len(args)+2, len(args)+3, len(args)+4)
		args = append(args, last.Hook, last.Event.Commit.String(), last.Event.Ordinal, last.Event.Timeline)
	}
}

// Show returns the stored deliveries of one event with their bodies, for one hook, or for
// all if hook is 0. There may be none.
func (s *Store) Show(ctx context.Context, hook int64, event mapping.ID) ([]Row, error) {
	rows, err := s.matching(ctx, Filter{Hook: hook, Event: event}, columns+", body")
	return rows, wrap(err, "show deliveries")
}

func (s *Store) matching(ctx context.Context, f Filter, columns string) ([]Row, error) {
	where, args := f.where()
	return s.rows(ctx, `SELECT `+columns+` FROM {parked} WHERE `+where+f.first(), args...)
}

// Redrive parks matching dead deliveries again, as if never attempted, and notifies the
// running hooktail. They keep their ids and their places in the order; deliveries made
// meanwhile are not repeated. Deliveries without a stored body are skipped. n is their
// number; a dry run only counts.
func (s *Store) Redrive(ctx context.Context, f Filter, dryRun bool) (n int64, err error) {
	f.State = Dead
	n, err = s.change(ctx, f, " AND octet_length(body) > 0", dryRun, `UPDATE {parked} SET state = 'parked', dead_at = NULL, reason = '',
		attempts = 0, added_at = now(), next_attempt_at = NULL, redriven = true`)
	return n, wrap(err, "redrive deliveries")
}

// Discard permanently deletes matching deliveries, parked ones only if the filter selects
// them. One that a lane is attempting may still be delivered. n is their number; a dry
// run only counts.
func (s *Store) Discard(ctx context.Context, f Filter, dryRun bool) (n int64, err error) {
	n, err = s.change(ctx, f, "", dryRun, `DELETE FROM {parked}`)
	return n, wrap(err, "discard deliveries")
}

// changedRows bounds the transactions of people's changes and of expiry: a running
// hooktail waits for the rows that they lock.
const changedRows = 10_000

// change runs the statement on the matching rows for which more is true as well, in several
// steps, and notifies the running hooktail; a dry run only counts. Each step must leave
// fewer matching rows. n is their number, also with an error.
func (s *Store) change(ctx context.Context, f Filter, more string, dryRun bool, statement string) (n int64, err error) {
	where, args := f.where()
	where += more
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
		var changed int64
		err := s.patient(ctx, "BEGIN", func(tx pgx.Tx) error {
			// One statement would pass over the rows for which it has waited while somebody updated
			// them: it does not see their new versions.
			var locked string
			if err := tx.QueryRow(ctx, s.sql(`SELECT coalesce(array_agg(ctid), '{}')::text FROM (SELECT ctid FROM {parked} WHERE `+where+f.first()+` FOR UPDATE) AS meant`), args...).Scan(&locked); err != nil {
				return err
			}
			tag, err := tx.Exec(ctx, s.sql(statement+` WHERE ctid = ANY ($1::text::tid[])`), locked)
			if changed = tag.RowsAffected(); err != nil {
				return err
			}
			return s.tell(ctx, tx)
		})
		n += changed
		if err != nil || changed < int64(f.Limit) || n == most {
			return n, err
		}
	}
}

// Expire deletes deliveries that have been dead for longer than age, in several steps.
// Only the database's clock counts. n is their number, also with an error. It also
// removes rows that an earlier run could not remove because they were locked.
func (s *Store) Expire(ctx context.Context, age time.Duration) (n int64, err error) {
	if err := s.sweep(ctx); err != nil {
		return 0, wrap(err, "remove locked rows")
	}
	n, err = s.repeat(ctx, `DELETE FROM {parked} WHERE ctid = ANY (ARRAY(
		SELECT ctid FROM {parked} WHERE state = 'dead' AND dead_at < now() - make_interval(secs => $1) ORDER BY dead_at LIMIT $2 FOR UPDATE SKIP LOCKED))`, age.Seconds(), changedRows)
	return n, wrap(err, "expire dead deliveries")
}

// Trim deletes the hook's oldest dead deliveries, by time of death, until the rest takes
// at most that room, as counted by Volume.Room, or is locked. n is their number, also
// with an error.
func (s *Store) Trim(ctx context.Context, hook, room int64) (n int64, err error) {
	n, err = s.repeat(ctx, `DELETE FROM {parked} WHERE state = 'dead' AND ctid = ANY (ARRAY(
		SELECT ctid FROM {parked} WHERE ctid = ANY (ARRAY(SELECT ctid FROM (
			SELECT ctid, sum(octet_length(body) + $3::bigint) OVER (ORDER BY dead_at DESC, commit_lsn DESC, ordinal DESC, timeline DESC ROWS UNBOUNDED PRECEDING) AS room
			FROM {parked} WHERE hook_id = $1 AND state = 'dead'
		) AS summed WHERE room > $2 LIMIT $4)) FOR UPDATE SKIP LOCKED))`, hook, room, RowBytes, changedRows)
	return n, wrap(err, "delete the oldest dead deliveries")
}

// repeat runs the statement until it changes fewer than changedRows.
func (s *Store) repeat(ctx context.Context, sql string, args ...any) (n int64, err error) {
	for {
		tag, err := s.pool.Exec(ctx, s.sql(sql), args...)
		n += tag.RowsAffected()
		if err != nil || tag.RowsAffected() < changedRows {
			return n, err
		}
	}
}

// Withdraw removes the events that an interrupted repair has stored under that commit.
func (s *Store) Withdraw(ctx context.Context, commit mapping.ID) error {
	_, err := s.pool.Exec(ctx, s.sql(`WITH gone AS (DELETE FROM {done} WHERE timeline = 0 AND commit_lsn = $1::text::pg_lsn)
		DELETE FROM {parked} WHERE timeline = 0 AND commit_lsn = $1::text::pg_lsn`), commit.Commit.String())
	return wrap(err, "withdraw events of a repair")
}
