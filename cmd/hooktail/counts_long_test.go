//go:build long

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/internal/relay"
)

// TestProjectCountsAreFreshWhenQuiet: each time the stream has fallen quiet, the
// last payload of each project shows what a query of that moment counts.
//
// The bound on the cost of counting goes by the clock and would spoil that on a
// machine that is busy enough, so it is off here; mapping's TestCountsCostTheirShare
// shows what it does.
func TestProjectCountsAreFreshWhenQuiet(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		variables []string
		rounds    int
	}{
		"at once": {[]string{"HOOKTAIL_SETTLE=0"}, 20},
		"settled": {nil, 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			db := cdctest.Postgres(t).LabelStudio(t)
			inbox := receive(t, db)
			startCounting(t, db, 1, test.variables...)
			crowd := gather(t, db, seed, 1, 1, 2, 3, 3, 3, 4)
			for round := range test.rounds {
				work(t, crowd, 12)
				delivered(t, db)
				last := lastProjects(t, inbox.Take())
				for _, project := range []int64{1, 2, 3, 4} {
					if diff := cmp.Diff(count(t, db, project), last[project]); diff != "" {
						t.Errorf("round %d: counts of project %d (-fresh query +last payload):\n%s", round, project, diff)
					}
				}
			}
		})
	}
}

// startCounting runs the program until stop is called or the test ends; counting
// in one project may take that share of a core of the database (0: as in
// production).
func startCounting(t testing.TB, db *cdctest.Database, share float64, variables ...string) (stop func()) {
	t.Helper()
	proctest.SetUp(t, db, variables...)
	cfg, err := config.Load(proctest.RoleEnviron(db, variables...))
	if err != nil {
		t.Fatalf("load configuration: %v", err)
	}
	started, ended := make(chan struct{}), make(chan struct{})
	options := relay.Options{
		Config: cfg, Log: slog.New(slog.DiscardHandler), Version: "test", Started: func(string) { close(started) },
		Tuning: relay.Tuning{Guest: true, StatusInterval: 10 * time.Millisecond, CountShare: share},
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(ended)
		err = relay.Run(ctx, options)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-ended
		if err != nil {
			t.Errorf("the program ended: %v", err)
		}
	})
	t.Cleanup(stop)
	select {
	case <-started:
	case <-ended:
		t.FailNow() // Cleanup says why
	}
	return stop
}

// eightCounts are the eight counts by their names.
type eightCounts map[string]int64

// count is a fresh query of all eight, each as Label Studio defines it.
func count(t testing.TB, db *cdctest.Database, project int64) eightCounts {
	t.Helper()
	var n eightCounts
	text := db.QueryText(t, `SELECT jsonb_build_object(
		'task_number', (SELECT count(*) FROM task WHERE project_id = $1),
		'finished_task_number', (SELECT count(*) FROM task WHERE project_id = $1 AND is_labeled),
		'total_predictions_number', (SELECT count(*) FROM prediction WHERE project_id = $1),
		'total_annotations_number', (SELECT count(*) FROM task_completion WHERE project_id = $1 AND NOT was_cancelled),
		'num_tasks_with_annotations', (SELECT count(DISTINCT task_id) FROM task_completion
			WHERE project_id = $1 AND NOT was_cancelled AND NOT ground_truth AND result IS NOT NULL),
		'useful_annotation_number', (SELECT count(*) FROM task_completion
			WHERE project_id = $1 AND NOT was_cancelled AND NOT ground_truth AND result IS NOT NULL),
		'ground_truth_number', (SELECT count(*) FROM task_completion WHERE project_id = $1 AND ground_truth),
		'skipped_annotations_number', (SELECT count(*) FROM task_completion WHERE project_id = $1 AND was_cancelled))`, project)
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		t.Fatalf("parse counts %q: %v", text, err)
	}
	return n
}

// lastProjects are the counts in the last payload of each project, in the order
// of the stream: events of different tasks may arrive in another one.
func lastProjects(t testing.TB, requests []conformance.Request) map[int64]eightCounts {
	t.Helper()
	type place struct{ commit, ordinal uint64 }
	latest, last := map[int64]place{}, map[int64]eightCounts{}
	for _, r := range requests {
		var at place
		if _, err := fmt.Sscanf(r.Headers["webhook-id"], "1-%X-%d", &at.commit, &at.ordinal); err != nil {
			t.Fatalf("parse the id of an event, %q: %v", r.Headers["webhook-id"], err)
		}
		var body struct{ Project map[string]json.RawMessage }
		if err := json.Unmarshal(r.Body, &body); err != nil {
			t.Fatalf("parse body: %v", err)
		}
		id := integer(t, body.Project["id"])
		if id == 0 || at.commit < latest[id].commit || at.commit == latest[id].commit && at.ordinal < latest[id].ordinal {
			continue
		}
		latest[id], last[id] = at, eightCounts{}
		for _, name := range counts {
			last[id][name] = integer(t, body.Project[name])
		}
	}
	return last
}

// integer is 0 where the body has no such member.
func integer(t testing.TB, text json.RawMessage) (n int64) {
	t.Helper()
	if text == nil {
		return 0
	}
	if err := json.Unmarshal(text, &n); err != nil {
		t.Fatalf("parse number %s: %v", text, err)
	}
	return n
}

// annotator makes random transactions in a project, on tasks of its own. The
// last change of each transaction makes an event; of the others many make none.
type annotator struct {
	conn    *pgx.Conn
	rng     *rand.Rand
	project int64
	tasks   []*annotated
}

// annotated is a task with its annotations.
type annotated struct {
	id          int64
	annotations []int64
}

// gather makes an annotator per mention of a project.
func gather(t testing.TB, db *cdctest.Database, seed uint64, projects ...int64) []*annotator {
	t.Helper()
	var all []*annotator
	for i, project := range projects {
		all = append(all, &annotator{conn: db.Connect(t), rng: rand.New(rand.NewPCG(seed, uint64(i))), project: project})
	}
	return all
}

// work lets all of them make transactions, at the same time.
func work(t testing.TB, all []*annotator, transactions int) {
	t.Helper()
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, a := range all {
		wg.Go(func() {
			for range transactions {
				if errs[i] = a.transaction(context.Background()); errs[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func (a *annotator) transaction(ctx context.Context) error {
	return pgx.BeginFunc(ctx, a.conn, func(tx pgx.Tx) error {
		for range a.rng.IntN(4) {
			if err := a.change(ctx, tx); err != nil {
				return err
			}
		}
		if len(a.tasks) == 0 || a.rng.IntN(3) == 0 {
			return a.addTask(ctx, tx)
		}
		return a.annotate(ctx, tx, a.tasks[a.rng.IntN(len(a.tasks))])
	})
}

// change makes one change of any kind, if there is something to change.
func (a *annotator) change(ctx context.Context, tx pgx.Tx) error {
	if len(a.tasks) == 0 {
		return nil
	}
	at := a.rng.IntN(len(a.tasks))
	task := a.tasks[at]
	run := func(sql string, args ...any) error {
		if _, err := tx.Exec(ctx, sql, args...); err != nil {
			return fmt.Errorf("run %q: %w", sql, err)
		}
		return nil
	}
	switch kind := a.rng.IntN(7); {
	case kind == 0:
		return run("UPDATE task SET is_labeled = NOT is_labeled WHERE id = $1", task.id)
	case kind == 1:
		return run(`INSERT INTO prediction (result, created_at, updated_at, task_id, project_id, mislabeling)
			VALUES ('[]', now(), now(), $1, $2, 0)`, task.id, a.project)
	case kind == 2:
		return run("DELETE FROM prediction WHERE task_id = $1", task.id)
	case kind == 3:
		a.tasks = slices.Delete(a.tasks, at, at+1)
		return errors.Join(run("DELETE FROM prediction WHERE task_id = $1", task.id),
			run("DELETE FROM task_completion WHERE task_id = $1", task.id), run("DELETE FROM task WHERE id = $1", task.id))
	case len(task.annotations) == 0:
		return a.annotate(ctx, tx, task)
	case kind == 4:
		id := task.annotations[0]
		task.annotations = task.annotations[1:]
		return run("DELETE FROM task_completion WHERE id = $1", id)
	case kind == 5:
		return run("UPDATE task_completion SET ground_truth = NOT ground_truth WHERE id = $1", task.annotations[0])
	default:
		return run("UPDATE task_completion SET was_cancelled = NOT was_cancelled, updated_at = now() WHERE id = $1", task.annotations[0])
	}
}

func (a *annotator) addTask(ctx context.Context, tx pgx.Tx) error {
	task := &annotated{}
	err := tx.QueryRow(ctx, `INSERT INTO task (data, created_at, updated_at, is_labeled, project_id, overlap, total_annotations,
		cancelled_annotations, total_predictions, comment_count, unresolved_comment_count)
		VALUES ('{"text": "new"}', now(), now(), $1, $2, 1, 0, 0, 0, 0, 0) RETURNING id`,
		a.rng.IntN(2) == 0, a.project).Scan(&task.id)
	if err != nil {
		return fmt.Errorf("insert task: %w", err)
	}
	a.tasks = append(a.tasks, task)
	return nil
}

// annotate adds an annotation: one in four is a skip, one in four the ground
// truth, and one in four has no result.
func (a *annotator) annotate(ctx context.Context, tx pgx.Tx, task *annotated) error {
	var id int64
	err := tx.QueryRow(ctx, `INSERT INTO task_completion (result, was_cancelled, ground_truth, created_at, updated_at, task_id,
		project_id, completed_by_id, updated_by_id, prediction, result_count, bulk_created)
		VALUES (CASE WHEN $1 THEN NULL ELSE '[]'::jsonb END, $2, $3, now(), now(), $4, $5, 1, 1, '{}', 0, false) RETURNING id`,
		a.rng.IntN(4) == 0, a.rng.IntN(4) == 0, a.rng.IntN(4) == 0, task.id, a.project).Scan(&id)
	if err != nil {
		return fmt.Errorf("insert annotation: %w", err)
	}
	task.annotations = append(task.annotations, id)
	return nil
}
