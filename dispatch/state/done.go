package state

import (
	"context"
	"sync"

	"github.com/jackc/pgx/v5"
)

// If a delivery has been made or is dead, but its row is locked by another session, it
// would be sent again after a crash, and after later events of its task. So Apply records
// in another table, which is not locked, that it is done, before it returns the
// *LockedError. Tail and Heads skip such rows, and Expire removes them when the locks are
// gone.

// done is the set of deliveries recorded as done in this run.
type done struct {
	mu   sync.Mutex
	keys map[Key]struct{}
}

// of returns those among the keys.
func (d *done) of(keys []Key) (noted []Key) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.keys) == 0 {
		return nil
	}
	for _, key := range keys {
		if _, is := d.keys[key]; is {
			noted = append(noted, key)
		}
	}
	return noted
}

func (d *done) add(keys []Key) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.keys == nil {
		d.keys = make(map[Key]struct{})
	}
	for _, key := range keys {
		d.keys[key] = struct{}{}
	}
}

func (d *done) remove(keys []Key) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, key := range keys {
		delete(d.keys, key)
	}
}

// pending excludes rows that are done from a query of {parked} AS p.
const pending = `NOT EXISTS (SELECT FROM {done} d WHERE d.hook_id = p.hook_id AND d.commit_lsn = p.commit_lsn AND d.ordinal = p.ordinal AND d.timeline = p.timeline)`

const doneSQL = `INSERT INTO {done} (hook_id, commit_lsn, ordinal, timeline, reason)
	SELECT hook, lsn::pg_lsn, ordinal, timeline, reason FROM unnest(` + keyArrays + `, $5::text[]) AS given (hook, timeline, lsn, ordinal, reason)
	ON CONFLICT DO NOTHING`

// finish records which of the batch's deliveries are done although their rows are locked.
func (s *Store) finish(ctx context.Context, b Batch, locked []Key) error {
	is := make(map[Key]bool, len(locked))
	for _, key := range locked {
		is[key] = true
	}
	for _, key := range s.done.of(locked) {
		is[key] = false
	}
	var list []Key
	var reasons []*string
	pick := func(key Key, reason *string) {
		if is[key] {
			list, reasons = append(list, key), append(reasons, reason)
		}
	}
	for _, key := range b.Delete {
		pick(key, nil)
	}
	for i := range b.Bury {
		pick(b.Bury[i].Key, new(plain(b.Bury[i].Reason)))
	}
	if len(list) == 0 {
		return nil
	}
	err := s.bounded(ctx, false, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, s.sql(doneSQL), keyed(list, reasons)...)
		return err
	})
	if err != nil {
		return err
	}
	s.done.add(list)
	return nil
}

// sweep handles rows that an earlier run has recorded as done, if their locks are gone.
func (s *Store) sweep(ctx context.Context) error {
	const gone = `, gone AS (DELETE FROM {done} d USING free WHERE d.hook_id = free.hook_id AND d.commit_lsn = free.commit_lsn AND d.ordinal = free.ordinal AND d.timeline = free.timeline)`
	const free = `WITH free AS MATERIALIZED (SELECT p.hook_id, p.commit_lsn, p.ordinal, p.timeline, d.reason FROM {parked} p JOIN {done} d
		ON d.hook_id = p.hook_id AND d.commit_lsn = p.commit_lsn AND d.ordinal = p.ordinal AND d.timeline = p.timeline
		WHERE `
	const same = `p.hook_id = free.hook_id AND p.commit_lsn = free.commit_lsn AND p.ordinal = free.ordinal AND p.timeline = free.timeline`
	return s.bounded(ctx, false, func(tx pgx.Tx) error {
		for _, sql := range []string{
			free + `d.reason IS NULL FOR UPDATE OF p SKIP LOCKED)` + gone + ` DELETE FROM {parked} p USING free WHERE ` + same,
			free + `d.reason IS NOT NULL FOR UPDATE OF p SKIP LOCKED)` + gone + ` UPDATE {parked} p SET state = 'dead', dead_at = now(), redriven = false, next_attempt_at = NULL, reason = free.reason FROM free WHERE p.state = 'parked' AND ` + same,
			`DELETE FROM {done} d WHERE NOT EXISTS (SELECT FROM {parked} p WHERE d.hook_id = p.hook_id AND d.commit_lsn = p.commit_lsn AND d.ordinal = p.ordinal AND d.timeline = p.timeline)`,
		} {
			if _, err := tx.Exec(ctx, s.sql(sql)); err != nil {
				return err
			}
		}
		return nil
	})
}
