package mapping

import (
	"fmt"
	"strconv"
	"time"

	"github.com/hooktail/hooktail/cdc"
)

// counter counts the content of a project for the eight numbers of its payload.
//
// It counts again for each batch: only a count made when the batch is due and its
// transactions are visible is sure to include their changes.
//
// The cost of counting grows with the project, so each project has a leaky bucket: at a
// share of a tenth, a query adds ten times its duration as debt, time pays it off, and
// while the debt exceeds a second the last numbers are reused. Otherwise they are exact.
// So counting in one project never takes more than its share of a database core, apart
// from the query that exceeds the second. Reused numbers are at most ten times as old as
// the last query took, even in the last payload before a quiet period; the project's next
// event after that time has exact ones.
//
// The client measures the duration, and the query is kept from running in parallel: it is
// an upper bound of its processor time.
type counter struct {
	reader reader
	format *format // format of the counts' rows
	sql    string
	share  float64 // share of one core
	known  recent[*counted]
}

type counted struct {
	json   []byte // the eight members, without braces; nil before the first query
	left   int64  // uncompleted tasks
	debt   time.Duration
	paidAt time.Time // time up to which the debt is paid off
}

const (
	countShare = 0.1         // share of one core, unless set in Options
	countDebt  = time.Second // debt above which the last numbers are reused
)

// countNames are fields of a project that are not columns.
var countNames = []string{
	"task_number", "finished_task_number", "total_predictions_number", "total_annotations_number",
	"num_tasks_with_annotations", "useful_annotation_number", "ground_truth_number", "skipped_annotations_number",
}

// zeroCounts are the counts of a project that was just created.
const zeroCounts = `"task_number": 0, "finished_task_number": 0, "total_predictions_number": 0, ` +
	`"total_annotations_number": 0, "num_tasks_with_annotations": 0, "useful_annotation_number": 0, ` +
	`"ground_truth_number": 0, "skipped_annotations_number": 0`

func newCounter(share float64) counter {
	return counter{share: share, known: newRecent[*counted](1024)}
}

// prepare builds the query for the present tables. Annotations and predictions are
// counted by their own project_id, as in Label Studio; if a version lacks the column, by
// that of the task.
//
// One pass over an index of the tasks and one over the annotations is fastest: with a
// million tasks and 300,000 annotations, grouping annotations by task takes 1.4 times as
// long, and a sub-select per number 1.5 times. Calling set_config, which is not
// parallel-safe, limits the query to one core.
// https://www.postgresql.org/docs/current/parallel-safety.html
func (c *counter) prepare(names Tables, columns *catalog) {
	within := func(table string) string {
		if columns.has(table, "project_id") {
			return "project_id = $1"
		}
		return "task_id IN (SELECT id FROM " + names.quoted(names.Task) + " WHERE project_id = $1)"
	}
	predicted := "0::bigint"
	if columns.has(predictions, "task_id") {
		predicted = "(SELECT count(*) FROM " + names.quoted(predictions) + " WHERE " + within(predictions) + ")"
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
		predicted, names.quoted(names.Task), names.quoted(names.Annotation), within(names.Annotation))
}

func (c *counter) of(id int64) *counted {
	known, ok := c.known.get(id)
	if !ok {
		known = &counted{}
		c.known.put(id, known)
	}
	return known
}

// isDue reports whether to count the project for the events of a batch.
func (b *counted) isDue(now time.Time) bool {
	b.debt = max(0, b.debt-now.Sub(b.paidAt))
	b.paidAt = now
	return b.json == nil || b.debt <= countDebt
}

// query counts the content of the project, and reports the snapshot of the count.
func (c *counter) query(id int64, snapshot func(text []byte)) query {
	to := c.of(id)
	return query{
		sql: c.sql, args: [][]byte{strconv.AppendInt(nil, id, 10)}, reader: &c.reader, tellsSnapshot: true,
		row: func(rel *cdc.Relation, row cdc.Tuple) {
			snapshot(row.Text(rel.Index(snapshotColumn)))
			if c.format == nil || c.format.relation != rel {
				c.format = newFormat(rel, other, nil, false)
			}
			to.json, _ = c.format.appendFields(nil, image{row: row}, read{}, nil)
			to.left = ref(row, rel.Index(countNames[0])) - ref(row, rel.Index(countNames[1]))
		},
		took: func(d time.Duration) { to.debt += time.Duration(float64(d) / c.share) },
	}
}
