package mapping

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/hooktail/hooktail/cdc"
)

// read reads what the batch needs once its transactions are visible. Usually they are by
// now, so the check is sent together with the queries; rows read too early are read
// again.
func (r *Renderer) read(ctx context.Context, xids []uint32) error {
	if len(r.batch.want[project].ids) > 0 {
		changes, news := r.kept.stream.news()
		r.kept.changes, r.kept.xids = changes, append(r.kept.xids, news...)
		xids = append(slices.Clip(xids), r.kept.xids...)
	}
	for {
		hidden := r.visible.hidden(xids)
		r.batch.forget()
		if err := r.readOnce(ctx, len(hidden) > 0); err != nil {
			if err = r.exclude(ctx, err); err != nil {
				return err
			}
			continue
		}
		if hidden = r.visible.hidden(hidden); len(hidden) > 0 {
			if err := r.visible.await(ctx, r.db, hidden); err != nil {
				return err
			}
			continue
		}
		again, err := r.check(ctx)
		if err != nil {
			return err
		}
		if !again {
			r.kept.seen(r.batch.projects)
			return nil
		}
	}
}

// readOnce reads everything in one round trip. Each query sees at least what the previous
// one saw, so the first one returns the snapshot, if requested.
func (r *Renderer) readOnce(ctx context.Context, snapshot bool) error {
	b := &r.batch
	b.optional = r.catalog.optional
	r.weights.read, r.weights.bytes, r.weights.tooMuch = r.weights.read[:0], 0, false
	now := time.Now()
	r.visible.wanted = snapshot
	var queries []query
	for _, id := range b.want[project].ids {
		if r.counter.of(id).isDue(now) {
			queries = append(queries, r.counter.query(id, r.visible.note))
		}
	}
	var projects []int64
	for _, id := range r.readable(project) {
		if kept := r.kept.get(id, now); kept != nil && len(b.want[task].ids) > 0 { // the task's query shows whether it is outdated
			b.projects[id] = &projectRead{kept: kept}
		} else {
			projects = append(projects, id)
		}
	}
	queries = r.rows(queries, project, projects, func(rel *cdc.Relation, id int64, row cdc.Tuple) { r.gotProject(rel, id, row, now) })
	queries = r.tasks(queries)
	queries = r.rows(queries, annotation, r.readable(annotation), r.gotAnnotation)
	if snapshot && (len(queries) == 0 || !queries[0].tellsSnapshot) {
		queries = slices.Insert(queries, 0, r.visible.query())
	}
	if len(queries) == 0 {
		r.nest()
		return nil
	}
	if r.catalog.recount != "" {
		queries = append(queries, query{sql: r.catalog.recount, reader: &r.optional, row: func(_ *cdc.Relation, row cdc.Tuple) {
			b.optional = int(ref(row, 0))
		}})
	}
	if err := ask(ctx, r.db, queries); err != nil {
		return fmt.Errorf("read rows for payloads: %w", err)
	}
	if r.weights.tooMuch {
		return errTooMuch
	}
	r.nest()
	return r.visible.fault
}

func (r *Renderer) rows(queries []query, of table, ids []int64, got func(*cdc.Relation, int64, cdc.Tuple)) []query {
	if len(ids) == 0 {
		return queries
	}
	// The server plans a query for an array anew each time that the array is short, since
	// it takes an unknown one to be longer. That takes longer than to read a row.
	which, arg := "= ANY ($1::bigint[])", arrayOf(ids)
	if len(ids) == 1 {
		which, arg = "= $1::bigint", strconv.AppendInt(nil, ids[0], 10)
	}
	name := r.opts.Tables.quoted(r.opts.Tables.name(of))
	return append(queries, query{
		sql: "SELECT " + r.columns[of] + " FROM " + name + " r WHERE r.id " + which, args: [][]byte{arg}, reader: &r.readers[of],
		row:   func(rel *cdc.Relation, row cdc.Tuple) { got(rel, ref(row, rel.Index("id")), row) },
		keeps: func(rel *cdc.Relation, values [][]byte) bool { return r.keeps(of, rel, values) },
	})
}

// keeps counts the size of a row that has arrived, and reports whether there is room for
// it.
func (r *Renderer) keeps(of table, rel *cdc.Relation, values [][]byte) bool {
	bytes := 0
	for _, value := range values {
		bytes += len(value)
	}
	id, _ := number(values[rel.Index("id")])
	if r.weights.add(of, id, bytes, r.batch.alone) {
		return true
	}
	r.batch.forget()
	return false
}

// tasks appends the query for the tasks, if any are wanted. Their rows include the
// fingerprint of the columns of projects and, if they come first, the snapshot.
func (r *Renderer) tasks(queries []query) []query {
	n := len(queries)
	queries = r.rows(queries, task, r.readable(task), r.gotTask)
	if len(queries) == n {
		return queries
	}
	q := &queries[n]
	q.tellsSnapshot = r.visible.wanted && n == 0
	q.args = append(q.args, strconv.AppendBool(nil, q.tellsSnapshot))
	got, told := q.row, false
	q.row = func(rel *cdc.Relation, row cdc.Tuple) {
		if !told {
			told = true
			r.kept.told = string(row.Text(rel.Index(projectColumn)))
			r.visible.note(row.Text(rel.Index(snapshotColumn)))
		}
		got(rel, row)
	}
	return queries
}

// gotProject encodes a project once for all events in which it is nested.
func (r *Renderer) gotProject(rel *cdc.Relation, id int64, row cdc.Tuple, now time.Time) {
	kept := &keptProject{types: row.Text(rel.Index("data_types")), changes: r.kept.changes, at: now}
	kept.fields, _ = r.formatOf(rel, project).appendFields(make([]byte, 0, 4096), image{row: row}, read{}, nil)
	r.batch.projects[id] = &projectRead{kept: kept}
}

func (r *Renderer) nest() {
	for id, p := range r.batch.projects {
		counts := r.counter.of(id).json
		json := append(make([]byte, 0, len(p.kept.fields)+len(counts)+32), `"project": {`...)
		json = append(append(append(json, p.kept.fields...), ", "...), counts...)
		p.nested = &nested{json: append(json, '}')}
	}
}

// taskColumns are the columns of a task, the authors of its comments, the fingerprint of
// the columns of projects and, if the second parameter is true, the snapshot.
func (r *Renderer) taskColumns() string {
	names := r.opts.Tables
	columns := "r.*"
	if !r.catalog.has(names.Task, commentAuthors) {
		authors := `'[]'::jsonb`
		if r.catalog.has(names.authors(), "user_id") {
			authors = "coalesce((SELECT jsonb_agg(a.user_id ORDER BY a.id) FROM " + names.quoted(names.authors()) + " a WHERE a.task_id = r.id), '[]'::jsonb)"
		}
		columns += ", " + authors + " AS " + commentAuthors
	}
	return columns + `, CASE WHEN $2::boolean THEN (SELECT pg_catalog.pg_current_snapshot()::text) END AS ` + snapshotColumn + `,
		(SELECT pg_catalog.sum(pg_catalog.hashtext(a.attname::text || ' ' || a.atttypid::text)) FROM pg_catalog.pg_attribute a
			WHERE a.attrelid = ` + literal(names.quoted(names.Project)) + `::pg_catalog.regclass AND a.attnum > 0 AND NOT a.attisdropped) AS ` + projectColumn
}

// gotTask encodes a task as it arrives, so that a batch of large tasks is held only once.
func (r *Renderer) gotTask(rel *cdc.Relation, id int64, row cdc.Tuple) {
	b := &r.batch
	b.encoded = slices.Grow(b.encoded, row.Size()) // avoids copying a large task as it grows
	from := len(b.encoded)
	of := ref(row, rel.Index("project_id"))
	b.encoded, _ = r.formatOf(rel, task).appendFields(append(b.encoded, '{'), image{row: row}, read{}, b.types(of))
	b.encoded = append(b.encoded, '}')
	b.tasks[id] = span{from, len(b.encoded)}
}

// types returns the data_types of a project, nil if it was not read or has none.
func (b *batch) types(project int64) []byte {
	if p := b.projects[project]; p != nil && p.kept != nil {
		return p.kept.types
	}
	return nil
}

func (r *Renderer) gotAnnotation(rel *cdc.Relation, id int64, row cdc.Tuple) {
	r.formatOf(rel, annotation)
	r.batch.annotations[id] = read{rel, row}
}

// check records missing projects. If a table has columns that the catalog does not know,
// it reads the catalog again, and the batch must be read again.
func (r *Renderer) check(ctx context.Context) (again bool, err error) {
	for of := project; of < tables; of++ {
		rel := r.readers[of].relation
		if rel == nil || rel == r.checked[of] {
			continue
		}
		r.checked[of] = rel
		if r.catalog.covers(r.opts.Tables.name(of), rel) {
			continue
		}
		delete(r.formats, rel) // it was made without knowing the foreign keys among the new columns
		again = true
	}
	again = r.kept.isOutdated() || again
	if !r.batch.again && r.batch.optional != r.catalog.optional { // an optional table or column was added
		r.batch.again, again = true, true
	}
	if again {
		return true, r.readCatalog(ctx)
	}
	for _, id := range r.batch.want[project].ids {
		if r.batch.projects[id] == nil {
			r.opts.Metrics.gone[project].Inc()
			json := append(make([]byte, 0, 32), `"project": `...)
			r.batch.projects[id] = &projectRead{nested: &nested{json: appendIDObject(json, id)}}
		}
	}
	return false, nil
}
