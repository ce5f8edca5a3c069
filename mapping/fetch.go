package mapping

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc"
)

// readProjects encodes the wanted projects, each once for all events that
// nest it.
func (r *Renderer) readProjects(ctx context.Context) error {
	b, ids := &r.batch, r.batch.want[project].ids
	if len(ids) == 0 {
		return nil
	}
	rows := make(map[int64]read, len(ids))
	if err := r.read(ctx, project, "*", func(rel *cdc.Relation, id int64, row cdc.Tuple) {
		rows[id] = read{rel, row}
	}); err != nil {
		return err
	}
	for _, id := range ids {
		p := &projectRead{nested: &nested{}}
		b.projects[id] = p
		dst := append(make([]byte, 0, 4096), `"project": `...)
		found, ok := rows[id]
		if !ok {
			r.opts.Metrics.vanished(project)
			p.nested.json = appendIDObject(dst, id)
			continue
		}
		counts, err := r.counter.of(ctx, id)
		if err != nil {
			return err
		}
		p.found, p.types = true, found.row.Text(found.relation.Index("data_types"))
		dst, _ = r.formatOf(found.relation, project).appendFields(append(dst, '{'), image{row: found.row}, read{}, override{})
		dst = append(append(dst, ", "...), counts...)
		p.nested.json = append(dst, '}')
	}
	return nil
}

// readTasks encodes each task as it is read, so that a batch of large tasks is
// held once.
func (r *Renderer) readTasks(ctx context.Context) error {
	b := &r.batch
	if b.want[task].empty() {
		return nil
	}
	authors := `'[]'::jsonb`
	if r.catalog.has(r.opts.Tables.authors(), "user_id") {
		authors = fmt.Sprintf("coalesce((SELECT jsonb_agg(a.user_id ORDER BY a.id) FROM %s a WHERE a.task_id = r.id), '[]'::jsonb)",
			pgx.Identifier{r.opts.Tables.Schema, r.opts.Tables.authors()}.Sanitize())
	}
	return r.read(ctx, task, "r.*, "+authors+" AS "+commentAuthors, func(rel *cdc.Relation, id int64, row cdc.Tuple) {
		from := len(b.encoded)
		of := ref(row, rel.Index("project_id"))
		b.encoded, _ = r.formatOf(rel, task).appendFields(append(b.encoded, '{'), image{row: row}, read{}, b.taskData(of))
		b.encoded = append(b.encoded, '}')
		b.tasks[id] = span{from, len(b.encoded)}
	})
}

// taskData gives a task's data the name that its project has for them.
func (b *batch) taskData(project int64) override {
	p := b.projects[project]
	if p == nil || len(p.types) == 0 {
		return override{}
	}
	return override{"data", func(data []byte) []byte { return nameUndefined(data, p.types) }}
}

func (r *Renderer) readAnnotations(ctx context.Context) error {
	if r.batch.want[annotation].empty() {
		return nil
	}
	return r.read(ctx, annotation, "*", func(rel *cdc.Relation, id int64, row cdc.Tuple) {
		r.formatOf(rel, annotation)
		r.batch.annotations[id] = read{rel, row}
	})
}

// read reads the wanted rows of a table.
func (r *Renderer) read(ctx context.Context, of table, columns string, row func(*cdc.Relation, int64, cdc.Tuple)) error {
	name := pgx.Identifier{r.opts.Tables.Schema, r.opts.Tables.name(of)}.Sanitize()
	sql := fmt.Sprintf("SELECT %s FROM %s r WHERE r.id = ANY ($1::bigint[])", columns, name)
	err := r.readers[of].each(ctx, sql, r.batch.want[of].ids, func(rel *cdc.Relation, tuple cdc.Tuple) {
		row(rel, ref(tuple, rel.Index("id")), tuple)
	})
	if err != nil {
		return fmt.Errorf("read rows of table %s: %w", name, err)
	}
	rel := r.readers[of].relation
	if rel == nil || rel == r.checked[of] {
		return nil
	}
	r.checked[of] = rel
	if r.catalog.covers(r.opts.Tables.name(of), rel) {
		return nil
	}
	delete(r.formats, rel) // it was made without knowing which of the new columns are foreign keys
	if err := r.readCatalog(ctx); err != nil {
		return err
	}
	return r.read(ctx, of, columns, row)
}
