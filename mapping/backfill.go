package mapping

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc"
)

// Backfill makes events from existing rows, as the stream makes them from insertions: the
// creation of a project, of its tasks or of its annotations. A row does not show what
// else happened to it.
//
// The events are those of the profile, but always one per row. They are rendered like the
// stream's and have no ID, since a row has no commit. The sessions of db must be in UTC,
// with DateStyle ISO. A Backfill serves one goroutine at a time.
type Backfill struct {
	db       Querier
	opts     Options
	of       table
	choice   BackfillRows
	until    int64          // greatest id at the beginning
	gone     map[int64]bool // projects that were marked as deleted at the beginning
	action   Action
	reader   reader
	mapper   *Mapper
	renderer *Renderer
	read     *cdc.Relation // as the reader returns it
	relation *cdc.Relation // the same, under the name that the mapper knows
}

// BackfillRows selects the rows.
type BackfillRows struct {
	Project int64     // 0: all projects
	Since   time.Time // created at this time or later; zero: all
	Changed bool      // also rows updated at this time or later
	After   int64     // only greater ids; advances with what is read
}

// BackfillActions returns the actions of events that can be made from rows.
func BackfillActions() []Action { return []Action{ProjectCreated, TaskCreated, AnnotationCreated} }

// NewBackfill prepares events of the action, in either spelling, for the rows. An action
// that cannot be made from rows is an error.
func NewBackfill(db Database, o Options, action Action, rows BackfillRows) (*Backfill, error) {
	if action != TasksCreated && !slices.Contains(BackfillActions(), action) {
		return nil, fmt.Errorf("events %s cannot be made from existing rows", action)
	}
	o = o.withDefaults()
	o.Metrics = nil // they only count the stream
	b := &Backfill{
		db: db, opts: o, of: action.table(), choice: rows, until: math.MaxInt64, action: action, mapper: NewMapper(o), renderer: NewRenderer(db, o),
	}
	if b.of == task {
		b.action = TaskCreated
		if o.Profile == Native {
			b.action = TasksCreated
		}
	}
	return b, nil
}

// Action returns the action of the events in the profile's spelling. Some annotations
// make events of another action: in the guide's profile a skip is an ANNOTATION_UPDATED,
// in the native one a copied prediction is an ANNOTATIONS_CREATED.
func (b *Backfill) Action() Action { return b.action }

// BackfillRow is a row with its event.
type BackfillRow struct {
	ID      int64
	Updated time.Time // zero: unknown
	Event   *Event    // nil: the row makes none, for example because its project is deleted
	table   table
}

// EventID returns the event's id, which is the same until the row changes. Unlike ids of
// the stream's events, it does not begin with a digit.
func (r *BackfillRow) EventID() string {
	var updated int64
	if !r.Updated.IsZero() {
		updated = r.Updated.UnixMicro()
	}
	return fmt.Sprintf("backfill-%s-%d-%d", r.table, r.ID, updated)
}

// Begin counts the rows, and excludes rows created later, whose events come from the
// stream. What is in projects that are marked as deleted makes no events.
func (b *Backfill) Begin(ctx context.Context) (rows int64, err error) {
	where, args := b.where()
	sql := "SELECT count(*), coalesce(max(r.id), $2::bigint) FROM " + where
	err = eachRow(ctx, b.db, sql, args, []any{&rows, &b.until}, func() {})
	if err != nil {
		return 0, fmt.Errorf("count rows of table %s: %w", b.quoted(b.of), err)
	}
	known, err := readCatalog(ctx, b.db, b.opts.Tables)
	if err != nil || !known.has(b.opts.Tables.Project, "deleted_at") {
		return rows, err
	}
	var id int64
	b.gone = map[int64]bool{}
	sql = "SELECT id::bigint FROM " + b.quoted(project) + " WHERE deleted_at IS NOT NULL"
	if err := eachRow(ctx, b.db, sql, nil, []any{&id}, func() { b.gone[id] = true }); err != nil {
		return rows, fmt.Errorf("read projects that are marked as deleted: %w", err)
	}
	return rows, nil
}

// Next returns the next rows in order of their ids, at most limit; none when all have
// been read. Their events are not rendered yet. A row that the server does not return has
// none.
func (b *Backfill) Next(ctx context.Context, limit int) ([]BackfillRow, error) {
	rows, err := b.next(ctx, limit)
	for isOfRow(err) && limit > 1 {
		limit = (limit + 1) / 2
		rows, err = b.next(ctx, limit)
	}
	if isOfRow(err) {
		rows, err = b.pass(ctx, err)
	}
	if err != nil {
		return nil, err
	}
	if len(rows) > 0 {
		b.choice.After = rows[len(rows)-1].ID
	}
	return rows, nil
}

func (b *Backfill) next(ctx context.Context, limit int) (all []BackfillRow, err error) {
	where, args := b.where()
	sql := fmt.Sprintf("SELECT r.* FROM %s ORDER BY r.id LIMIT %d", where, limit)
	rows, err := b.db.Query(ctx, sql, append([]any{pgx.QueryExecModeExec}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("read rows of table %s: %w", b.quoted(b.of), err)
	}
	defer rows.Close()
	b.reader.describe(rows.FieldDescriptions())
	for rows.Next() {
		row, err := b.row(b.reader.relation, b.reader.tuple(rows.RawValues()))
		if err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read rows of table %s: %w", b.quoted(b.of), err)
	}
	return all, nil
}

// pass returns the next row without an event.
func (b *Backfill) pass(ctx context.Context, cause error) (rows []BackfillRow, err error) {
	where, args := b.where()
	row := BackfillRow{table: b.of}
	sql := "SELECT r.id::bigint FROM " + where + " ORDER BY r.id LIMIT 1"
	err = eachRow(ctx, b.db, sql, args, []any{&row.ID}, func() { rows = append(rows, row) })
	if err != nil {
		return nil, fmt.Errorf("read rows of table %s: %w", b.quoted(b.of), err)
	}
	if len(rows) == 0 { // it was deleted meanwhile
		return b.next(ctx, 1)
	}
	b.opts.Log.Error("the database does not return a row: it is left out", "table", b.opts.Tables.name(b.of), "id", row.ID, "sqlstate", codeOf(cause))
	return rows, nil
}

// Render builds the payloads of the rows' events.
func (b *Backfill) Render(ctx context.Context, rows []BackfillRow) error {
	events := make([]*Event, 0, len(rows))
	for i := range rows {
		if rows[i].Event != nil {
			events = append(events, rows[i].Event)
		}
	}
	return b.renderer.Render(ctx, events)
}

// where returns the tables and the condition. Annotations are selected by their tasks,
// since some versions do not store their project.
func (b *Backfill) where() (sql string, args []any) {
	c := b.choice
	from, belongs := b.quoted(b.of)+" r", "r.project_id = $1::bigint"
	switch {
	case c.Project == 0:
		belongs = "$1::bigint = 0"
	case b.of == project:
		belongs = "r.id = $1::bigint"
	case b.of == annotation:
		from, belongs = from+" JOIN "+b.quoted(task)+" t ON t.id = r.task_id", "t.project_id = $1::bigint"
	}
	conditions, args := []string{belongs, "r.id > $2::bigint", "r.id <= $3::bigint"}, []any{c.Project, c.After, b.until}
	if !c.Since.IsZero() {
		args = append(args, c.Since)
		since := fmt.Sprintf("r.created_at >= $%d::timestamptz", len(args))
		if c.Changed {
			since = fmt.Sprintf("(%s OR r.updated_at >= $%d::timestamptz)", since, len(args))
		}
		conditions = append(conditions, since)
	}
	return from + " WHERE " + strings.Join(conditions, " AND "), args
}

func (b *Backfill) quoted(of table) string {
	return b.opts.Tables.quoted(b.opts.Tables.name(of))
}

// row makes the row's event: that of a transaction that only inserts it, or, if it was
// created before Since, updates it.
func (b *Backfill) row(read *cdc.Relation, tuple cdc.Tuple) (BackfillRow, error) {
	if read != b.read {
		b.read, b.relation = read, &cdc.Relation{
			Schema: b.opts.Tables.Schema, Name: b.opts.Tables.name(b.of), Identity: 'd', Columns: read.Columns,
		}
	}
	row := BackfillRow{ID: ref(tuple, read.Index("id")), table: b.of}
	row.Updated = stampOf(tuple, read.Index("updated_at"))
	op := cdc.Insert
	if b.choice.Changed && stampOf(tuple, read.Index("created_at")).Before(b.choice.Since) {
		op = cdc.Update
	}
	part := &cdc.Part{
		First: true, Last: true, Time: row.Updated, Received: time.Now(), Age: b.opts.Settle, // already settled
		Changes: []cdc.Change{{Op: op, Relation: b.relation, New: tuple}},
	}
	events, err := b.mapper.Events(part, nil)
	if err == nil && len(events) > 0 {
		row.Event = events[0]
		if b.choice.Project != 0 {
			row.Event.Project = b.choice.Project
		}
		if b.of != project && b.gone[row.Event.Project] {
			row.Event = nil
		}
	}
	return row, err
}

// stampOf returns a time in the row; zero: none.
func stampOf(row cdc.Tuple, column int) time.Time {
	at, _ := time.Parse("2006-01-02 15:04:05.999999-07", string(row.Text(column))) // format of DateStyle ISO
	return at
}
