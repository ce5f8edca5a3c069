package mapping

import (
	"context"
	"errors"
	"strings"

	"github.com/hooktail/hooktail/cdc"
)

// Renderer builds the payloads of events, as Label Studio does: the annotation as of its
// commit, from the row in the WAL, its task and its project as they are when they are
// rendered. A batch takes one query per table, and one per project for its counts, all in
// one round trip.
//
// The sessions of db must have DateStyle ISO; their time zone does not matter. A Renderer
// is not safe for concurrent use.
type Renderer struct {
	opts       Options
	db         Database
	catalog    *catalog       // nil: must be read
	columns    [tables]string // columns that queries read
	formats    map[*cdc.Relation]*format
	readers    [tables]reader
	checked    [tables]*cdc.Relation // relations of the readers that the catalog covers
	optional   reader                // reads the number of optional columns
	visible    visibility
	counter    counter
	weights    weights
	kept       keptProjects
	batch      batch
	unreadable unreadable
	scratch    []byte
}

// batch is what the events of one call need and have got.
type batch struct {
	want        [tables]idSet
	projects    map[int64]*projectRead
	tasks       map[int64]span // position in encoded
	annotations map[int64]read
	encoded     []byte
	optional    int  // number of optional columns in the database
	again       bool // the catalog was read again, since columns had changed
	alone       bool // it has one event, whose rows are read whatever their size
}

type projectRead struct {
	nested *nested
	kept   *keptProject // nil: it no longer exists
}

type span struct{ from, to int }

// NewRenderer returns a Renderer that reads from db.
func NewRenderer(db Database, o Options) *Renderer {
	o = o.withDefaults()
	return &Renderer{
		opts:       o,
		db:         db,
		formats:    map[*cdc.Relation]*format{},
		counter:    newCounter(o.CountShare),
		weights:    weights{limit: o.BatchBytes, known: map[rowOf]int{}},
		kept:       keptProjects{stream: o.Projects, recent: newRecent[*keptProject](keptCount)},
		unreadable: unreadable{rows: map[rowOf]bool{}, told: map[rowOf]bool{}},
		batch: batch{
			projects:    map[int64]*projectRead{},
			tasks:       map[int64]span{},
			annotations: map[int64]read{},
		},
	}
}

// Await returns when the transactions are visible to everyone.
func (r *Renderer) Await(ctx context.Context, xids []uint32) error {
	return r.visible.await(ctx, r.db, xids)
}

// Render waits until the transactions are visible, sets the Payload of each event and
// releases its rows. Rows deleted meanwhile become {"id": …} and are counted. The only
// errors are those of the database; afterwards the same events may be rendered again.
func (r *Renderer) Render(ctx context.Context, events []*Event, xids ...uint32) error {
	for {
		n, err := r.RenderFirst(ctx, events, xids...)
		if err != nil || n == len(events) {
			return err
		}
		events = events[n:]
	}
}

// RenderFirst renders as many of the first events as Options.BatchBytes allows, at least
// one, and returns their number. Otherwise it is like Render.
func (r *Renderer) RenderFirst(ctx context.Context, events []*Event, xids ...uint32) (n int, err error) {
	if len(events) == 0 {
		return 0, r.Await(ctx, xids)
	}
	for range 2 { // a migration may be running: after the second time the next call checks again
		if n, err = r.render(ctx, events, xids); !hasChanged(err) {
			break
		}
		r.forgetCatalog()
	}
	return n, err
}

// hasChanged reports whether the error means that the catalog is outdated: a name or a
// function does not exist (SQLSTATE classes 42 and 0A).
// https://www.postgresql.org/docs/current/errcodes-appendix.html
func hasChanged(err error) bool {
	code := codeOf(err)
	return strings.HasPrefix(code, "42") || strings.HasPrefix(code, "0A")
}

// forgetCatalog makes the next call read the catalog, with everything that depends on it.
func (r *Renderer) forgetCatalog() {
	r.catalog = nil
	clear(r.formats)
	r.checked = [tables]*cdc.Relation{}
}

// render is one attempt. If the rows exceed the bound of a batch, fewer are read in the
// next attempt.
func (r *Renderer) render(ctx context.Context, events []*Event, xids []uint32) (int, error) {
	if r.catalog == nil {
		if err := r.readCatalog(ctx); err != nil {
			return 0, err
		}
	}
	defer clear(r.unreadable.rows)
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

// gather records what the first events need, as many as are expected to fit the bound,
// and returns their number.
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

func (b *batch) forget() {
	clear(b.projects)
	clear(b.tasks)
	clear(b.annotations)
	if cap(b.encoded) > scratchBytes {
		b.encoded = nil
	}
	b.encoded = b.encoded[:0]
}

// scratchBytes bounds the buffer that is kept for the next batch.
const scratchBytes = 1 << 20

func (r *Renderer) readCatalog(ctx context.Context) error {
	c, err := readCatalog(ctx, r.db, r.opts.Tables)
	if err != nil {
		return err
	}
	r.catalog = c
	r.columns = [tables]string{project: "*", task: r.taskColumns(), annotation: "*"}
	r.kept.forget()
	r.counter.prepare(r.opts.Tables, c)
	return nil
}

// format prepares the format of the event's relation. A column that is missing from the
// catalog, or has another type there, makes it read the catalog again.
func (r *Renderer) format(ctx context.Context, e *Event) error {
	rel, of := e.subject.relation, e.Action.table()
	if rel == nil || of == other || r.formats[rel] != nil {
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
		f = newFormat(rel, of, r.catalog.columns[r.opts.Tables.name(of)], r.opts.SendSecrets)
		r.formats[rel] = f
	}
	return f
}

// table returns the table that the action is about; other for a custom one.
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

// require records the rows that the event's payload needs.
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
	case AnnotationsCreated:
		for i, member := range s.group.members {
			b.want[task].add(member.task)
			if s.group.image(i).unfinished() {
				b.want[annotation].add(member.id)
			}
		}
	case ProjectCreated, ProjectUpdated, AnnotationsDeleted, TasksDeleted:
	default:
		b.want[task].add(e.Task)
		if e.Action.table() == annotation && s.image.unfinished() {
			b.want[annotation].add(s.id)
		}
	}
}

// unfinished reports whether the row, or a value of it, must be read.
func (i image) unfinished() bool { return i.row.IsZero() || incomplete(i.row, i.old) }

// image returns the row of member i, empty if it was not kept.
func (g *group) image(i int) image {
	if i < len(g.rows) {
		return g.rows[i]
	}
	return image{}
}
