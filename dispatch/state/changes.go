package state

import (
	"time"

	"github.com/jackc/pgx/v5"
)

const updateSQL = `UPDATE {parked} p SET attempts = made, next_attempt_at = next, last_result = result, last_status = status
	FROM unnest(` + keyArrays + `, $5::int[], $6::timestamptz[], $7::text[], $8::int[])
		AS given (hook, timeline, lsn, ordinal, made, next, result, status)
	WHERE p.state = 'parked' AND ` + matched

func (s *Store) update(queue *pgx.Batch, list []Attempt) {
	a := attemptsOf(list)
	queue.Queue(s.sql(updateSQL), a.hooks, a.timelines, a.commits, a.ordinals, a.made, a.next, a.results, a.statuses)
}

const burySQL = `UPDATE {parked} p SET state = 'dead', dead_at = now(), redriven = false,
		attempts = made, next_attempt_at = NULL, last_result = result, last_status = status, reason = given.reason,
		body = CASE WHEN bodiless THEN '' ELSE body END, bytes = CASE WHEN bodiless THEN 0 ELSE bytes END
	FROM unnest(` + keyArrays + `, $5::int[], $6::text[], $7::int[], $8::text[], $9::bool[])
		AS given (hook, timeline, lsn, ordinal, made, result, status, reason, bodiless)
	WHERE p.state = 'parked' AND ` + matched

func (s *Store) bury(queue *pgx.Batch, list []Attempt) {
	a := attemptsOf(list)
	queue.Queue(s.sql(burySQL), a.hooks, a.timelines, a.commits, a.ordinals, a.made, a.results, a.statuses, a.reasons, a.bodiless)
}

const deleteSQL = `DELETE FROM {parked} p USING unnest(` + keyArrays + `) AS given (hook, timeline, lsn, ordinal) WHERE ` + matched

func (s *Store) delete(queue *pgx.Batch, list []Key) {
	k := keysOf(list)
	queue.Queue(s.sql(deleteSQL), k.hooks, k.timelines, k.commits, k.ordinals)
}

// attempts are several attempts by column.
type attempts struct {
	keys
	made     []int
	next     []*time.Time
	results  []string
	statuses []int
	reasons  []string
	bodiless []bool
}

func attemptsOf(list []Attempt) attempts {
	n := len(list)
	a := attempts{newKeys(n), make([]int, n), make([]*time.Time, n), make([]string, n), make([]int, n), make([]string, n), make([]bool, n)}
	for i := range list {
		it := &list[i]
		a.set(i, it.Key)
		a.made[i], a.next[i], a.results[i], a.statuses[i] = counted(it.Attempts), orNull(it.Next), plain(it.LastResult), it.LastStatus
		a.reasons[i], a.bodiless[i] = plain(it.Reason), it.Bodiless
	}
	return a
}
