package mapping

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Querier reads Label Studio's tables. *pgxpool.Pool is one.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Locator finds the organization of each event's project, and the project of
// those events that know no more than their task. What the stream has shown
// goes before what the tables say, which may be ahead of the event.
type Locator struct {
	db     Querier
	opts   Options
	primed bool
	known  recent[int64]     // project → organization
	absent recent[time.Time] // project that is not in the table → when that was seen
	stray  strays
}

// absentFor is how long a project that was not found is not asked for again.
const absentFor = 10 * time.Second

// NewLocator reads from db.
func NewLocator(db Querier, o Options) *Locator {
	o = o.withDefaults()
	return &Locator{
		db:     db,
		opts:   o,
		known:  newRecent[int64](remembered / 8),
		absent: newRecent[time.Time](remembered / 8),
		stray:  strays{opts: o},
	}
}

// Locate sets Organization, and Project where it is 0, with at most two
// queries for all events. What cannot be found stays 0 and is counted: the project
// was deleted meanwhile. After an error the events may be located again.
//
// The first call also reads where the latest projects belong, so that their
// deletion can be told though the deleted row says no more than its id.
func (l *Locator) Locate(ctx context.Context, events []*Event) error {
	if !l.primed {
		if err := l.prime(ctx); err != nil {
			return err
		}
	}
	if err := l.projects(ctx, events); err != nil {
		return err
	}
	var unknown idSet
	for _, e := range events {
		if e.Organization != 0 {
			l.learn(e)
		}
	}
	now := time.Now()
	for _, e := range events {
		if e.Organization != 0 || e.Project == 0 {
			continue
		}
		if e.Organization, _ = l.known.get(e.Project); e.Organization != 0 {
			continue
		}
		if seen, ok := l.absent.get(e.Project); !ok || now.Sub(seen) > absentFor {
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
		if e.Organization == 0 && e.Project != 0 {
			l.stray.count(e.Action.table(), e.Action == ProjectDeleted)
		}
	}
	return nil
}

// organizations looks the organizations of projects up and remembers what there is.
func (l *Locator) organizations(ctx context.Context, projects []int64, now time.Time) (map[int64]int64, error) {
	if len(projects) == 0 {
		return nil, nil
	}
	found, err := l.lookUp(ctx, l.opts.Tables.Project, "organization_id", projects)
	if err != nil {
		return nil, fmt.Errorf("look up organizations of projects: %w", err)
	}
	for _, id := range projects {
		if found[id] != 0 {
			l.known.put(id, found[id])
		} else {
			l.absent.put(id, now)
		}
	}
	return found, nil
}

func (l *Locator) prime(ctx context.Context) error {
	sql := fmt.Sprintf("SELECT id::bigint, organization_id::bigint FROM %s WHERE organization_id IS NOT NULL ORDER BY id DESC LIMIT %d",
		pgx.Identifier{l.opts.Tables.Schema, l.opts.Tables.Project}.Sanitize(), l.known.size)
	err := l.each(ctx, sql, nil, func(id, organization int64) { l.known.put(id, organization) })
	if err != nil {
		return fmt.Errorf("look up organizations of all projects: %w", err)
	}
	l.primed = true
	return nil
}

func (l *Locator) learn(e *Event) {
	if known, ok := l.known.get(e.Project); !ok || known != e.Organization {
		l.known.put(e.Project, e.Organization)
	}
}

// projects looks the projects of tasks up.
func (l *Locator) projects(ctx context.Context, events []*Event) error {
	var tasks idSet
	for _, e := range events {
		if e.Project == 0 && e.Task != 0 {
			tasks.add(e.Task)
		}
	}
	if tasks.empty() {
		return nil
	}
	found, err := l.lookUp(ctx, l.opts.Tables.Task, "project_id", tasks.ids)
	if err != nil {
		return fmt.Errorf("look up projects of tasks: %w", err)
	}
	for _, e := range events {
		if e.Project != 0 || e.Task == 0 {
			continue
		}
		if e.Project = found[e.Task]; e.Project != 0 {
			continue
		}
		of := annotation
		if e.Action == TaskCreated || e.Action == TasksCreated || e.Action == TasksDeleted {
			of = task
		}
		l.stray.count(of, e.Action == AnnotationsDeleted || e.Action == TasksDeleted)
	}
	return nil
}

// lookUp reads one number per row.
func (l *Locator) lookUp(ctx context.Context, name, column string, ids []int64) (map[int64]int64, error) {
	sql := fmt.Sprintf("SELECT id::bigint, %s::bigint FROM %s WHERE id = ANY($1::bigint[]) AND %s IS NOT NULL",
		column, pgx.Identifier{l.opts.Tables.Schema, name}.Sanitize(), column)
	found := make(map[int64]int64, len(ids))
	err := l.each(ctx, sql, []any{ids}, func(id, value int64) { found[id] = value })
	return found, err
}

func (l *Locator) each(ctx context.Context, sql string, args []any, pair func(id, value int64)) error {
	rows, err := l.db.Query(ctx, sql, append([]any{pgx.QueryExecModeExec}, args...)...)
	if err != nil {
		return err
	}
	var id, value int64
	_, err = pgx.ForEachRow(rows, []any{&id, &value}, func() error {
		pair(id, value)
		return nil
	})
	return err
}

// idSet collects ids, each once, in the order in which they came.
type idSet struct {
	ids  []int64
	seen map[int64]struct{}
}

func (s *idSet) add(id int64) {
	if _, ok := s.seen[id]; ok || id == 0 {
		return
	}
	if s.seen == nil {
		s.seen = make(map[int64]struct{})
	}
	s.seen[id] = struct{}{}
	s.ids = append(s.ids, id)
}

func (s *idSet) empty() bool { return len(s.ids) == 0 }

// reset empties the set for another use.
func (s *idSet) reset() {
	s.ids = s.ids[:0]
	clear(s.seen)
}
