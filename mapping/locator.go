package mapping

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc"
)

// Querier reads Label Studio's tables, for example a *pgxpool.Pool.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Locator finds the organization of each event's project, and the project of events that
// only know their task. What the stream has shown takes precedence over the tables, which
// may be ahead of the event.
type Locator struct {
	db     Querier
	opts   Options
	primed bool
	known  recent[int64]   // project → organization
	absent recent[absence] // projects that are not in the table
	stray  strays
}

// absence records that a project was not in the table.
type absence struct {
	seen  time.Time
	until cdc.LSN // end of the WAL at that time: the deletion precedes it
}

// organizationMemo is the minimum number of projects remembered, at 20 bytes each.
const organizationMemo = 1 << 16

// absentFor is the time before a missing project is looked up again.
const absentFor = 10 * time.Second

// NewLocator returns a Locator that reads from db.
func NewLocator(db Querier, o Options) *Locator {
	o = o.withDefaults()
	return &Locator{
		db:     db,
		opts:   o,
		known:  newRecent[int64](organizationMemo),
		absent: newRecent[absence](remembered / 8),
		stray:  strays{opts: o},
	}
}

// Locate sets Organization, and Project where it is 0, with at most three queries for all
// events. They remain 0 if the project was deleted meanwhile; the caller then waits for
// its deletion in the stream (IsAhead) or drops the event (Miss). After an error the
// events may be located again.
//
// The first call also reads the organizations of the latest projects, so that their
// deletions can be routed although a deleted row may contain only its id.
func (l *Locator) Locate(ctx context.Context, events []*Event) error {
	if !l.primed {
		if err := l.prime(ctx); err != nil {
			return err
		}
	}
	if err := l.projects(ctx, events); err != nil {
		return err
	}
	if l.Recall(events) {
		return nil
	}
	var unknown idSet
	now := time.Now()
	for _, e := range events {
		if e.Organization != 0 || e.Project == 0 {
			continue
		}
		if gone, ok := l.absent.get(e.Project); !ok || now.Sub(gone.seen) > absentFor {
			unknown.add(e.Project)
		}
	}
	found, err := l.organizations(ctx, unknown.ids, now)
	if err != nil {
		return err
	}
	for _, e := range events {
		if e.Organization == 0 {
			e.Organization = found[e.Project]
		}
	}
	return nil
}

// Recall sets Organization as Locate does, without asking the database. It reports whether
// that is all; otherwise the events have to be located.
func (l *Locator) Recall(events []*Event) (all bool) {
	if !l.primed {
		return false
	}
	for _, e := range events {
		if e.Organization != 0 {
			l.known.put(e.Project, e.Organization)
		}
	}
	all = true
	for _, e := range events {
		if e.Organization == 0 {
			e.Organization, _ = l.known.get(e.Project)
			all = all && e.Organization != 0
		}
	}
	return all
}

// IsAhead reports whether the stream may still show the organization of the event, which
// Locate has not found: in the deletion of the project, before until.
func (l *Locator) IsAhead(e *Event) (until cdc.LSN, ahead bool) {
	if e.Organization != 0 || e.Project == 0 || e.Action == ProjectDeleted {
		return 0, false
	}
	gone, ok := l.absent.get(e.Project)
	return gone.until, ok && e.ID.Commit < gone.until
}

// Miss counts an event that no hook gets, since the organization of its project cannot be
// known.
func (l *Locator) Miss(e *Event) {
	if e.Organization == 0 && e.Project != 0 {
		l.stray.count(e.Action.table(), e.Action == ProjectDeleted)
	}
}

func (l *Locator) organizations(ctx context.Context, projects []int64, now time.Time) (map[int64]int64, error) {
	if len(projects) == 0 {
		return nil, nil
	}
	found, err := l.lookUp(ctx, l.opts.Tables.Project, "organization_id", projects)
	if err != nil {
		return nil, fmt.Errorf("look up organizations of projects: %w", err)
	}
	until := cdc.LSN(0)
	if len(found) < len(projects) { // a row that was not found was deleted before the present end of the WAL
		const sql = "SELECT (pg_catalog.pg_current_wal_insert_lsn() - '0/0'::pg_catalog.pg_lsn)::bigint"
		if err := eachRow(ctx, l.db, sql, nil, []any{(*uint64)(&until)}, func() {}); err != nil {
			return nil, fmt.Errorf("read end of WAL: %w", err)
		}
	}
	for _, id := range projects {
		if found[id] != 0 {
			l.known.put(id, found[id])
		} else {
			l.absent.put(id, absence{now, until})
		}
	}
	return found, nil
}

func (l *Locator) prime(ctx context.Context) error {
	sql := fmt.Sprintf("SELECT id::bigint, organization_id::bigint FROM %s WHERE organization_id IS NOT NULL ORDER BY id DESC LIMIT %d",
		l.opts.Tables.quoted(l.opts.Tables.Project), l.known.size)
	var id, organization int64
	err := eachRow(ctx, l.db, sql, nil, []any{&id, &organization}, func() { l.known.put(id, organization) })
	if err != nil {
		return fmt.Errorf("look up organizations of all projects: %w", err)
	}
	l.primed = true
	return nil
}

func (l *Locator) projects(ctx context.Context, events []*Event) error {
	var tasks idSet
	for _, e := range events {
		if e.Project == 0 && e.Task != 0 {
			tasks.add(e.Task)
		}
	}
	if len(tasks.ids) == 0 {
		return nil
	}
	found, err := l.lookUp(ctx, l.opts.Tables.Task, "project_id", tasks.ids)
	if err != nil {
		return fmt.Errorf("look up projects of tasks: %w", err)
	}
	for _, e := range events {
		if e.Project = cmp.Or(e.Project, found[e.Task]); e.Project == 0 && e.Task != 0 {
			l.stray.count(e.Action.table(), e.Action == AnnotationsDeleted || e.Action == TasksDeleted)
		}
	}
	return nil
}

func (l *Locator) lookUp(ctx context.Context, name, column string, ids []int64) (map[int64]int64, error) {
	sql := fmt.Sprintf("SELECT id::bigint, %s::bigint FROM %s WHERE id = ANY($1::bigint[]) AND %s IS NOT NULL",
		column, l.opts.Tables.quoted(name), column)
	found := make(map[int64]int64, len(ids))
	var id, value int64
	err := eachRow(ctx, l.db, sql, []any{ids}, []any{&id, &value}, func() { found[id] = value })
	return found, err
}
