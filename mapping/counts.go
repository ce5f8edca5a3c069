package mapping

import (
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc"
)

// counter counts what is in a project, for the eight numbers of its payload.
//
// They are counted anew for each batch: only what is counted once the batch is
// due, and its transactions can be seen, is sure to show what they did. So the
// last payload before the stream falls quiet shows what is there then.
//
// Counting costs what the project is large, so each project has a leaky bucket:
// a query adds ten times its duration of debt (at a share of a tenth), time pays
// it off, and while more than a second is owed the last numbers are used again.
// Below that they are exact, and counting in one project never takes more of a
// core of the database than its share, but for the one query that a full second
// lets through. This bound goes first: numbers that are used again are at most
// as old as the last query took, times ten, also in the last payload before the
// stream falls quiet. The project's next event, if it comes no sooner than
// that, has exact ones.
//
// The duration is the client's, so it is never less than the time that the
// query takes of a core, as it is kept from spreading over several.
type counter struct {
	reader reader
	format *format // of its rows
	sql    string
	share  float64 // of one core
	known  recent[*counted]
}

type counted struct {
	json   []byte // the eight members, without braces; nil before the first query
	debt   time.Duration
	paidAt time.Time // up to when the debt is paid off
}

const (
	countShare = 0.1         // of one core, unless Options say otherwise
	countDebt  = time.Second // from which on the last numbers are used again
)

// countNames are the fields of a project that are no columns of it.
var countNames = []string{
	"task_number", "finished_task_number", "total_predictions_number", "total_annotations_number",
	"num_tasks_with_annotations", "useful_annotation_number", "ground_truth_number", "skipped_annotations_number",
}

// zeroCounts are those of a project that is as it was created.
const zeroCounts = `"task_number": 0, "finished_task_number": 0, "total_predictions_number": 0, ` +
	`"total_annotations_number": 0, "num_tasks_with_annotations": 0, "useful_annotation_number": 0, ` +
	`"ground_truth_number": 0, "skipped_annotations_number": 0`

func newCounter(share float64) counter {
	return counter{share: share, known: newRecent[*counted](1024)}
}

// prepare writes the query for the tables at hand. Annotations and predictions
// are counted by their own project_id, as Label Studio does; versions that do
// not have the column count by that of the task.
//
// One pass over an index of the tasks and one over the annotations is the
// cheapest: with a million tasks and 300,000 annotations, grouping these by task
// costs 1.4 times as much, and a sub-select per number 1.5 times. A call of
// set_config, which is not safe to run in parallel, keeps the planner from using
// more than one core.
// https://www.postgresql.org/docs/current/parallel-safety.html
func (c *counter) prepare(names Tables, columns *catalog) {
	quote := func(table string) string { return pgx.Identifier{names.Schema, table}.Sanitize() }
	within := func(table string) string {
		if columns.has(table, "project_id") {
			return "project_id = $1"
		}
		return "task_id IN (SELECT id FROM " + quote(names.Task) + " WHERE project_id = $1)"
	}
	predicted := "0::bigint"
	if columns.has(predictions, "task_id") {
		predicted = "(SELECT count(*) FROM " + quote(predictions) + " WHERE " + within(predictions) + ")"
	}
	c.sql = fmt.Sprintf(`
SELECT t.*, %s AS total_predictions_number, a.*, pg_catalog.pg_current_snapshot()::text AS `+snapshotColumn+`
FROM (SELECT set_config('max_parallel_workers_per_gather', '0', true)) one_core,
 (
  SELECT count(*) AS task_number,
         count(*) FILTER (WHERE is_labeled) AS finished_task_number
  FROM %s WHERE project_id = $1) t,
 (
  SELECT count(*) FILTER (WHERE NOT was_cancelled) AS total_annotations_number,
         count(DISTINCT task_id) FILTER (WHERE NOT was_cancelled AND NOT ground_truth AND result IS NOT NULL)
           AS num_tasks_with_annotations,
         count(*) FILTER (WHERE NOT was_cancelled AND NOT ground_truth AND result IS NOT NULL)
           AS useful_annotation_number,
         count(*) FILTER (WHERE ground_truth) AS ground_truth_number,
         count(*) FILTER (WHERE was_cancelled) AS skipped_annotations_number
  FROM %s WHERE %s) a`,
		predicted, quote(names.Task), quote(names.Annotation), within(names.Annotation))
}

// of is what is known of the project.
func (c *counter) of(id int64) *counted {
	known, ok := c.known.get(id)
	if !ok {
		known = &counted{}
		c.known.put(id, known)
	}
	return known
}

// isDue reports whether the project is to be counted for the events of one batch.
func (b *counted) isDue(now time.Time) bool {
	b.pay(now)
	return b.json == nil || b.debt <= countDebt
}

// query counts what is in the project, and tells the snapshot that it was counted with.
func (c *counter) query(id int64, snapshot func(text []byte)) query {
	to := c.of(id)
	return query{
		sql: c.sql, args: [][]byte{strconv.AppendInt(nil, id, 10)}, reader: &c.reader, tellsSnapshot: true,
		row: func(rel *cdc.Relation, row cdc.Tuple) {
			snapshot(row.Text(rel.Index(snapshotColumn)))
			if c.format == nil || c.format.relation != rel {
				c.format = newFormat(rel, other, nil, false)
			}
			to.json, _ = c.format.appendFields(nil, image{row: row}, read{}, override{})
		},
		took: func(d time.Duration) { to.owe(d, c.share) },
	}
}

// owe enters what a query has taken.
func (b *counted) owe(d time.Duration, share float64) {
	b.debt += time.Duration(float64(d) / share)
}

func (b *counted) pay(now time.Time) {
	b.debt = max(0, b.debt-now.Sub(b.paidAt))
	b.paidAt = now
}
