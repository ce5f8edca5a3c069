package mapping

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/cdc"
)

// Renderer builds the payloads of events, as Label Studio does: the annotation
// as of its commit, from the row in the WAL, its task and its project as they are
// when they are rendered. All events of a batch are served by one query per table,
// and one per project for its counts, all of them in one round trip.
//
// The sessions of db should have DateStyle ISO; their time zone does not
// matter. A Renderer serves one goroutine at a time.
type Renderer struct {
	opts     Options
	db       Database
	catalog  *catalog // nil: it is to be read
	formats  map[*cdc.Relation]*format
	readers  [tables]reader
	checked  [tables]*cdc.Relation // of the readers: the catalog was as new as these
	optional reader                // of the number of optional columns
	visible  visibility
	counter  counter
	weights  weights
	kept     keptProjects
	batch    batch
	scratch  []byte
}

// batch is what the events of one call need and have been given.
type batch struct {
	want        [tables]idSet
	projects    map[int64]*projectRead
	tasks       map[int64]span // in encoded
	annotations map[int64]read
	encoded     []byte
	present     int  // optional columns that the database has
	again       bool // the catalog was read anew, since there were others
	alone       bool // it is of one event, whose rows are read however large they are
}

// projectRead is a project of the batch.
type projectRead struct {
	nested *nested
	kept   *keptProject // nil: it is not there any more
}

type span struct{ from, to int }

// NewRenderer reads from db.
func NewRenderer(db Database, o Options) *Renderer {
	o = o.withDefaults()
	r := &Renderer{
		opts:    o,
		db:      db,
		formats: map[*cdc.Relation]*format{},
		counter: newCounter(o.CountShare),
		weights: newWeights(o.BatchBytes),
		kept:    newKeptProjects(o.Projects),
		batch: batch{
			projects:    map[int64]*projectRead{},
			tasks:       map[int64]span{},
			annotations: map[int64]read{},
		},
	}
	return r
}

// Await returns when what the transactions did can be read by anybody.
func (r *Renderer) Await(ctx context.Context, xids []uint32) error {
	return r.visible.await(ctx, r.db, xids)
}

// Render sets the Payload of each event and lets go of its rows, once what the
// transactions did can be read by anybody. Rows that were deleted meanwhile are
// {"id": …} and counted; only a database that does not answer is an error, after
// which the same events may be rendered again.
func (r *Renderer) Render(ctx context.Context, events []*Event, xids ...uint32) error {
	for {
		n, err := r.RenderFirst(ctx, events, xids...)
		if err != nil || n == len(events) {
			return err
		}
		events = events[n:]
	}
}

// RenderFirst renders as many of the events, from the first on, as Options.BatchBytes
// allows, at least one, and returns how many. What it promises of them is what Render
// promises.
func (r *Renderer) RenderFirst(ctx context.Context, events []*Event, xids ...uint32) (n int, err error) {
	if len(events) == 0 {
		return 0, r.Await(ctx, xids)
	}
	n, err = r.render(ctx, events, xids)
	if hasChanged(err) {
		r.forgetCatalog()
		n, err = r.render(ctx, events, xids)
	}
	if hasChanged(err) {
		r.forgetCatalog() // a migration is at work: the next call looks again
	}
	return n, err
}

// hasChanged reports whether the error says that tables are not as the catalog has them:
// a name or a function is not there (classes 42 and 0A of SQLSTATE).
// https://www.postgresql.org/docs/current/errcodes-appendix.html
func hasChanged(err error) bool {
	fault, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (strings.HasPrefix(fault.Code, "42") || strings.HasPrefix(fault.Code, "0A"))
}

// forgetCatalog has the catalog read anew, with all that depends on it.
func (r *Renderer) forgetCatalog() {
	r.catalog = nil
	r.kept.forget()
	clear(r.formats)
	r.checked = [tables]*cdc.Relation{}
}

// render is one attempt. Rows that turn out to be too much for one batch are read
// again, fewer at a time.
func (r *Renderer) render(ctx context.Context, events []*Event, xids []uint32) (int, error) {
	if r.catalog == nil {
		if err := r.readCatalog(ctx); err != nil {
			return 0, err
		}
	}
	defer r.batch.reset()
	for most := len(events); ; {
		n, err := r.gather(ctx, events[:most])
		if err != nil {
			return 0, err
		}
		err = r.read(ctx, xids)
		if errors.Is(err, errTooMuch) {
			r.batch.reset()
			r.weights.compare()
			most = n - 1 // one event alone is never too much
			continue
		}
		if err != nil {
			return 0, err
		}
		for _, e := range events[:n] {
			r.encode(e)
		}
		r.weights.learn(n == len(events))
		return n, nil
	}
}

// gather notes what the first of the events need, as many as are expected to be within
// the bound, and returns how many these are.
func (r *Renderer) gather(ctx context.Context, events []*Event) (n int, err error) {
	b, weight := &r.batch, 0
	for i, e := range events {
		if err := r.format(ctx, e); err != nil {
			return 0, err
		}
		var before [tables]int
		for of := range b.want {
			before[of] = len(b.want[of].ids)
		}
		r.require(e)
		weight += e.Bytes()
		for of := range b.want {
			for _, id := range b.want[of].ids[before[of]:] {
				weight += r.weights.of(table(of), id)
			}
		}
		if i > 0 && r.weights.exceededBy(weight) {
			for of := range b.want {
				b.want[of].cut(before[of])
			}
			break
		}
		n++
	}
	b.alone = n == 1
	return n, nil
}

func (b *batch) reset() {
	for i := range b.want {
		b.want[i].reset()
	}
	b.again, b.alone = false, false
	b.forget()
}

// forget lets go of what has been read.
func (b *batch) forget() {
	clear(b.projects)
	clear(b.tasks)
	clear(b.annotations)
	if cap(b.encoded) > scratchBytes {
		b.encoded = nil
	}
	b.encoded = b.encoded[:0]
}

// scratchBytes is how large a buffer may be that is kept for the next batch.
const scratchBytes = 1 << 20

func (r *Renderer) readCatalog(ctx context.Context) error {
	c, err := readCatalog(ctx, r.db, r.opts.Tables)
	if err != nil {
		return err
	}
	r.catalog = c
	r.kept.forget()
	r.counter.prepare(r.opts.Tables, c)
	return nil
}

// format makes sure that there is a format for the event's relation. A column that the
// catalog does not have, or has with another type, makes it be read again.
func (r *Renderer) format(ctx context.Context, e *Event) error {
	rel := e.subject.relation
	if rel == nil || r.formats[rel] != nil {
		return nil
	}
	of := e.Action.table()
	if of == other { // it is no table's
		return nil
	}
	if !r.catalog.covers(r.opts.Tables.name(of), rel) {
		if err := r.readCatalog(ctx); err != nil {
			return err
		}
	}
	r.formatOf(rel, of)
	return nil
}

func (r *Renderer) formatOf(rel *cdc.Relation, of table) *format {
	f := r.formats[rel]
	if f == nil {
		if len(r.formats) >= relations {
			clear(r.formats)
		}
		f = newFormat(rel, of, r.catalog.references(r.opts.Tables.name(of)), r.opts.SendSecrets)
		r.catalog.unwrap(r.opts.Tables.name(of), f)
		r.formats[rel] = f
	}
	return f
}

// table is the table whose rows the action is about; other for a custom one.
func (a Action) table() table {
	switch a {
	case ProjectCreated, ProjectUpdated, ProjectDeleted:
		return project
	case TaskCreated, TasksCreated, TasksDeleted, TaskCompleted, TaskReopened:
		return task
	case AnnotationCreated, AnnotationsCreated, AnnotationUpdated, AnnotationsDeleted:
		return annotation
	default:
		return other
	}
}

// require notes which rows the event's payload needs to have read.
func (r *Renderer) require(e *Event) {
	b, s := &r.batch, &e.subject
	if s.relation == nil || e.Action == ProjectDeleted {
		return
	}
	b.want[project].add(e.Project)
	switch e.Action {
	case TaskCreated:
		if r.opts.Settle > 0 || s.image.unfinished() {
			b.want[task].add(s.id)
		}
	case TasksCreated:
		for _, member := range s.group.members {
			b.want[task].add(member.id)
		}
	case AnnotationCreated, AnnotationUpdated:
		b.want[task].add(e.Task)
		if s.image.unfinished() {
			b.want[annotation].add(s.id)
		}
	case AnnotationsCreated:
		for i, member := range s.group.members {
			b.want[task].add(member.task)
			if s.group.image(i).unfinished() {
				b.want[annotation].add(member.id)
			}
		}
	case ProjectCreated, ProjectUpdated, AnnotationsDeleted, TasksDeleted:
	default:
		if e.Task != 0 {
			b.want[task].add(e.Task)
		}
	}
}

// unfinished reports whether the row, or a value of it, has to be read.
func (i image) unfinished() bool { return i.row.IsZero() || incomplete(i.row, i.old) }

// image is the row of member i, none if it was not kept.
func (g *group) image(i int) image {
	if i < len(g.rows) {
		return g.rows[i]
	}
	return image{}
}
