package state

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc"
)

// Heads says which of a hook's parked deliveries to find: those that were never
// attempted and wait for no other. They are the first of their task, with no event of
// their whole project before them; an event of a whole project has none of its project
// before it.
type Heads struct {
	Hook   int64
	Upto   cdc.LSN // commits after it do not count
	Rows   int     // at most
	Passed []Task  // tasks that no other has to wait for
	Known  []Task  // tasks whose heads are not asked for
}

// Task names a task of a project; Task 0 is the whole project.
type Task struct{ Project, Task int64 }

// Heads is the newest heads, the newest first, without bodies. It reads all that is
// parked for the hook, and takes about half a second for half a million rows: an index by
// task would make it a fifth of that, and parking a third slower.
func (s *Store) Heads(ctx context.Context, h Heads) ([]Row, error) {
	passedProjects, passedTasks := arraysOf(h.Passed)
	knownProjects, knownTasks := arraysOf(h.Known)
	var (
		batch pgx.Batch
		rows  []Row
	)
	batch.Queue(planByHash)
	batch.Queue(s.sql(headsSQL), h.Hook, h.Upto.String(), h.Rows, passedProjects, passedTasks, knownProjects, knownTasks).
		Query(func(r pgx.Rows) (err error) {
			rows, err = pgx.CollectRows(r, scanRow)
			return err
		})
	err := s.pool.SendBatch(ctx, &batch).Close()
	return rows, wrap(err, "find heads")
}

// planByHash lets the server find the first of each task in one pass, without sorting, until
// the end of the transaction. Compiling the query would take it longer than running it.
const planByHash = `SELECT set_config('jit', 'off', true), set_config('work_mem', '32MB', true)`

// headsSQL takes the first of each task as one value, which hashes and compares faster than
// its columns: place and attempts. The place of a commit is counted from the middle of all
// LSNs, so that a bigint has it. What waits for any event waits for the first of that
// event's task as well.
const headsSQL = `WITH passed (project_id, task_id) AS (SELECT * FROM unnest($4::bigint[], $5::bigint[])),
	known (project_id, task_id) AS (SELECT * FROM unnest($6::bigint[], $7::bigint[])),
	firsts AS MATERIALIZED (SELECT project_id, task_id, min(ARRAY[pg_wal_lsn_diff(commit_lsn, '80000000/0')::bigint, ordinal, timeline, attempts]) AS first
		FROM {parked} p WHERE hook_id = $1 AND state = 'parked' AND ` + pending + ` GROUP BY project_id, task_id),
	barring AS MATERIALIZED (SELECT * FROM firsts WHERE (project_id, task_id) NOT IN (SELECT * FROM passed)),
	barriers AS MATERIALIZED (SELECT * FROM barring WHERE task_id = 0),
	heads AS MATERIALIZED (SELECT first FROM barring c
		WHERE first[4] = 0 AND first[1] <= pg_wal_lsn_diff($2::text::pg_lsn, '80000000/0') AND (project_id, task_id) NOT IN (SELECT * FROM known)
			AND NOT EXISTS (SELECT FROM barriers b WHERE b.project_id = c.project_id AND b.first < c.first)
			AND (task_id <> 0 OR NOT EXISTS (SELECT FROM barring b WHERE b.project_id = c.project_id AND b.first < c.first))
		ORDER BY first DESC LIMIT $3)
	SELECT ` + columns + ` FROM heads JOIN {parked} ON hook_id = $1 AND state = 'parked'
		AND commit_lsn = '80000000/0'::pg_lsn + first[1]::numeric AND ordinal = first[2] AND timeline = first[3]
	ORDER BY commit_lsn DESC, ordinal DESC, timeline DESC`

func arraysOf(tasks []Task) (projects, ids []int64) {
	projects, ids = make([]int64, len(tasks)), make([]int64, len(tasks))
	for i, t := range tasks {
		projects[i], ids[i] = t.Project, t.Task
	}
	return projects, ids
}
