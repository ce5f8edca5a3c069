package faults

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/postgres"
)

// passes reports whether a statement failed since the connection broke or the server starts,
// stops or is full, not for its own sake.
func passes(err error) bool {
	code := postgres.Code(err)
	return code == "" || strings.Contains("08 40 53 57", code[:2])
}

// A load has these users, each in projects of their own with these tasks.
const (
	users          = 4
	tasksOfProject = 5
	firstProject   = 1000
	firstTask      = 10_000
)

// scene is a database under load, its hooks, and their receiver.
type scene struct {
	*journal
	db       *cdctest.Database
	hooks    []string            // names, by id from 1
	projects int                 // of each user
	only     map[string]int      // the one project whose events a hook gets; none: it gets all
	log      *proctest.Log       // nil: there is none
	logged   map[int][]delivered // what was seen in the log, by hook
}

// prepare makes the projects of a load and hooks of these names that want all of
// it. What a transaction of the load has written is in the table written, made
// in the same transaction: number n of a project is an annotation, or without a
// task a change of the project itself.
func prepare(t testing.TB, db *cdctest.Database, hooks ...string) *scene {
	t.Helper()
	s := &scene{journal: newJournal(t), db: db, hooks: hooks, logged: make(map[int][]delivered), projects: 1}
	s.make(t)
	return s
}

// make makes what is in the database.
func (s *scene) make(t testing.TB) {
	t.Helper()
	db := s.db
	db.Exec(t, "DELETE FROM webhook_action")
	db.Exec(t, "DELETE FROM webhook")
	for i, name := range s.hooks {
		db.Exec(t, `INSERT INTO webhook (id, url, organization_id, project_id, send_payload, send_for_all_actions, headers, is_active, created_at, updated_at)
			VALUES ($1, $2, 1, NULL, true, true, '{}', true, now() - interval '1 day', now())`, i+1, s.url+"/"+name)
	}
	db.Exec(t, `INSERT INTO project (id, title, organization_id, show_instruction, maximum_annotations, is_published, created_at, updated_at,
			show_skip_button, enable_empty_annotation, min_annotations_to_start_training, show_annotation_history, show_collab_predictions,
			show_ground_truth_first, overlap_cohort_percentage, show_overlap_first, result_count, is_draft,
			evaluate_predictions_automatically, reveal_preannotations_interactively)
		SELECT $1::int + g, 'Load', 1, false, 1, false, now(), now(), true, true, 0, false, true, false, 100, false, 0, false, false, false
		FROM generate_series(0, $2::int - 1) g`, firstProject, users*s.projects)
	for i, name := range s.hooks {
		if project, some := s.only[name]; some {
			db.Exec(t, "UPDATE webhook SET project_id = $2 WHERE id = $1", i+1, project)
		}
	}
	db.Exec(t, `INSERT INTO task (id, data, created_at, updated_at, is_labeled, project_id, overlap, total_annotations, cancelled_annotations,
			total_predictions, comment_count, unresolved_comment_count)
		SELECT $1::int + g, '{"text": "load"}', now(), now(), false, $2::int + g / $3::int, 1, 0, 0, 0, 0, 0
		FROM generate_series(0, $3::int * $4::int - 1) g`, firstTask, firstProject, tasksOfProject, users*s.projects)
	db.Exec(t, `CREATE TABLE written (project integer, n integer, task integer, xid xid8 DEFAULT pg_current_xact_id(),
		lsn pg_lsn DEFAULT pg_current_wal_insert_lsn(), PRIMARY KEY (project, n))`)
}

// arrived is how many events have arrived at the first hook; if each hook has one project: at
// the first hooks of all projects.
func (s *scene) arrived() int {
	if s.only == nil {
		return s.count(s.hooks[0])
	}
	return s.all() * users * s.projects / len(s.hooks)
}

// rate is how a load writes.
type rate struct {
	every time.Duration // pause of each user between two transactions
	bulk  int           // annotations of every 25th transaction; 0: one, as in the others
	ahead int           // events that it may be ahead; 0: mostAhead
}

// load is users who write until they are told to stop.
type load struct {
	written atomic.Int64 // events that are known to be committed
	arrived func() int   // events
	stopped chan struct{}
	once    sync.Once
	wg      sync.WaitGroup
}

// write begins a load. It goes on through whatever happens to the server.
func (s *scene) write(t testing.TB, r rate) *load {
	t.Helper()
	before := s.arrived()
	l := &load{stopped: make(chan struct{}), arrived: func() int { return s.arrived() - before }}
	for i := range users {
		u := &user{project: firstProject + i*s.projects, projects: s.projects, rate: r, dsn: s.db.DSN}
		l.wg.Go(func() {
			if err := u.run(l); err != nil {
				t.Errorf("user from project %d on: %v", u.project, err)
			}
		})
	}
	t.Cleanup(l.stop)
	return l
}

// stop ends the load and returns when it has ended.
func (l *load) stop() {
	l.once.Do(func() { close(l.stopped) })
	l.wg.Wait()
}

// user is one writer of a load.
type user struct {
	project  int // the first one
	projects int // how many, taken in turn
	rate     rate
	dsn      string
	conn     *pgx.Conn
	n        int // of the last annotation or change, committed or not
	step     int
}

func (u *user) run(l *load) error {
	tick := time.NewTicker(u.rate.every)
	defer tick.Stop()
	for {
		select {
		case <-l.stopped:
			if u.conn != nil {
				return u.conn.Close(context.Background())
			}
			return nil
		case <-tick.C:
		}
		if l.written.Load()-int64(l.arrived()) > int64(cmp.Or(u.rate.ahead, mostAhead)) {
			continue
		}
		n, err := u.transaction()
		switch {
		case err == nil:
			l.written.Add(int64(n))
		case !passes(err):
			return err
		case u.conn != nil: // whether it was committed is not known: the database will say
			_ = u.conn.Close(context.Background())
			u.conn = nil
		}
	}
}

const (
	annotateSQL = `WITH number AS (SELECT n, $2::int + n % $3::int AS task FROM generate_series($4::int, $5::int) n),
	made AS (INSERT INTO task_completion (result, task_id, project_id, completed_by_id, updated_by_id, was_cancelled,
		ground_truth, created_at, updated_at, prediction, result_count, bulk_created)
		SELECT '[]', task, $1, 1, 1, false, false, now(), now(), '{}', n, false FROM number ORDER BY n)
	INSERT INTO written (project, n, task) SELECT $1, n, task FROM number ORDER BY n`
	changeSQL = `WITH changed AS (UPDATE project SET title = 'Load ' || $2::int, updated_at = clock_timestamp() WHERE id = $1)
	INSERT INTO written (project, n, task) VALUES ($1, $2, 0)`
)

// transaction writes one: mostly an annotation, sometimes many, now and then a
// change of the project, or one that is rolled back. It returns how many events
// that makes.
func (u *user) transaction() (events int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if u.conn == nil {
		if u.conn, err = pgx.Connect(ctx, u.dsn); err != nil {
			u.conn = nil
			return 0, err
		}
	}
	u.step++
	count, project, turn := 1, u.project+u.step%u.projects, u.step/u.projects
	switch {
	case turn%10 == 0:
		u.n++
		_, err = u.conn.Exec(ctx, changeSQL, project, u.n)
		return 1, err
	case turn%13 == 0:
		return 0, u.rollBack(ctx, project)
	case turn%25 == 7 && u.rate.bulk > 0:
		count = u.rate.bulk
	}
	first := u.n + 1
	u.n += count
	_, err = u.conn.Exec(ctx, annotateSQL, project, taskOf(project), tasksOfProject, first, u.n)
	return count, err
}

// taskOf is the first task of a project.
func taskOf(project int) int { return firstTask + (project-firstProject)*tasksOfProject }

// rollBack writes an annotation that never was.
func (u *user) rollBack(ctx context.Context, project int) error {
	tx, err := u.conn.Begin(ctx)
	if err != nil {
		return err
	}
	u.n++
	if _, err := tx.Exec(ctx, annotateSQL, project, taskOf(project), tasksOfProject, u.n, u.n); err != nil {
		return fmt.Errorf("annotate: %w", err)
	}
	return tx.Rollback(ctx)
}
