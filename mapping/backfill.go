package mapping

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc"
)

// Backfill makes the events of rows that are there already, as the stream made or
// would have made them of their insertion: the creation of a project, of its tasks
// or of its annotations. What else happened to a row cannot be seen in it.
//
// The events are those of the profile, except that each row makes one of its own.
// They are rendered as those of the stream are, and have no ID: a row has no commit.
// The sessions of db should be in UTC, with DateStyle ISO. A Backfill serves one
// goroutine at a time.
type Backfill struct {
	opts     Options
	of       table
	choice   BackfillRows
	until    int64 // the greatest id that there was at the beginning
	action   Action
	reader   reader
	mapper   *Mapper
	renderer *Renderer
	read     *cdc.Relation // of the reader
	relation *cdc.Relation // the same, under the name that the mapper knows
}

// BackfillRows is which rows are meant.
type BackfillRows struct {
	Project int64     // 0: of all projects
	Since   time.Time // created then or later; zero: all
	Changed bool      // also those that were created earlier and updated then or later
	After   int64     // those with a greater id; it moves on with what is read
}

// BackfillActions are those of the events that can be made of rows.
func BackfillActions() []Action { return []Action{ProjectCreated, TaskCreated, AnnotationCreated} }

// NewBackfill makes events of this action, in either spelling, for the rows. An
// action that rows do not tell of is an error.
func NewBackfill(db Database, o Options, action Action, rows BackfillRows) (*Backfill, error) {
	o = o.withDefaults()
	o.Metrics = nil // counts the stream alone
	b := &Backfill{
		opts: o, choice: rows, until: math.MaxInt64, action: action,
		reader: reader{db: db}, mapper: NewMapper(o), renderer: NewRenderer(db, o),
	}
	switch action {
	case ProjectCreated:
		b.of = project
	case TaskCreated, TasksCreated:
		b.of, b.action = task, TaskCreated
		if o.Profile == Native {
			b.action = TasksCreated
		}
	case AnnotationCreated:
		b.of = annotation
	default:
		return nil, fmt.Errorf("events %s cannot be made of the rows that are there: %v can", action, BackfillActions())
	}
	return b, nil
}

// Action is that of the events as the profile spells it. Some annotations make
// events of another one: in the guide's profile a skip is an ANNOTATION_UPDATED, in
// the native one a copied prediction is an ANNOTATIONS_CREATED.
func (b *Backfill) Action() Action { return b.action }

// BackfillRow is a row with its event.
type BackfillRow struct {
	ID      int64
	Updated time.Time // zero: not known
	Event   *Event    // nil: the row makes none, as a project that is deleted
	table   table
}

// EventID names the event: the same for as long as the row is not changed. Unlike
// those of the stream's events it does not begin with a digit.
func (r *BackfillRow) EventID() string {
	var updated int64
	if !r.Updated.IsZero() {
		updated = r.Updated.UnixMicro()
	}
	return fmt.Sprintf("backfill-%s-%d-%d", r.table, r.ID, updated)
}

// Begin counts the rows, and leaves out those that are made after it: their events
// are the stream's.
func (b *Backfill) Begin(ctx context.Context) (rows int64, err error) {
	where, args := b.where()
	result, err := b.reader.db.Query(ctx, "SELECT count(*), coalesce(max(r.id), $2::bigint) FROM "+where, append([]any{pgx.QueryExecModeExec}, args...)...)
	if err == nil {
		_, err = pgx.ForEachRow(result, []any{&rows, &b.until}, func() error { return nil })
	}
	if err != nil {
		return 0, fmt.Errorf("count rows of table %s: %w", b.quoted(b.of), err)
	}
	return rows, nil
}

// Next is the next rows in the order of their ids, at most limit; none when all
// have been read. Their events are not rendered.
func (b *Backfill) Next(ctx context.Context, limit int) ([]BackfillRow, error) {
	where, args := b.where()
	sql := fmt.Sprintf("SELECT r.* FROM %s ORDER BY r.id LIMIT %d", where, limit)
	var rows []BackfillRow
	var wrong error
	err := b.reader.each(ctx, sql, args, func(rel *cdc.Relation, tuple cdc.Tuple) {
		row, err := b.row(rel, tuple)
		if err != nil && wrong == nil {
			wrong = err
		}
		rows = append(rows, row)
	})
	if err != nil {
		return nil, fmt.Errorf("read rows of table %s: %w", b.quoted(b.of), err)
	}
	if wrong == nil && len(rows) > 0 {
		b.choice.After = rows[len(rows)-1].ID
	}
	return rows, wrong
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

// where is the tables and the condition of the choice. Annotations are found by
// their tasks: not all versions write their project down.
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
	return pgx.Identifier{b.opts.Tables.Schema, b.opts.Tables.name(of)}.Sanitize()
}

// row makes the row's event: that of a transaction which inserts it alone, or, if it
// was there before the time that is asked for, updates it.
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
		First: true, Last: true, Time: row.Updated, Received: time.Now(), Age: b.opts.Settle, // it has settled
		Changes: []cdc.Change{{Op: op, Relation: b.relation, New: tuple}},
	}
	events, err := b.mapper.Events(part, nil)
	if err == nil && len(events) > 0 {
		row.Event = events[0]
		if b.choice.Project != 0 {
			row.Event.Project = b.choice.Project
		}
	}
	return row, err
}

// stampOf is a time of the row; zero: it has none.
func stampOf(row cdc.Tuple, column int) time.Time {
	at, _ := time.Parse("2006-01-02 15:04:05.999999-07", string(row.Text(column))) // the form of DateStyle ISO
	return at
}
