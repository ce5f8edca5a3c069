//go:build long

package faults

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// weighed is a receiver that measures the bodies of events and keeps none.
type weighed struct {
	mu     sync.Mutex
	bodies map[string]int64 // by event
}

// ServeHTTP measures one body.
func (w *weighed) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bodies[r.Header.Get("webhook-id")] = n
}

// reset returns how many events have come, and the least of their bodies.
func (w *weighed) reset() (events int, least int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.bodies {
		if least == 0 || n < least {
			least = n
		}
	}
	events = len(w.bodies)
	clear(w.bodies)
	return events, least
}

// Annotations of tasks whose data do not compress, in a transaction each.
const (
	largeTasks = `INSERT INTO task (id, data, created_at, updated_at, is_labeled, project_id, overlap, total_annotations, cancelled_annotations,
			total_predictions, comment_count, unresolved_comment_count)
		SELECT 100000 + i, jsonb_build_object('text', (SELECT string_agg(md5(i::text || n), '') FROM generate_series(1, $2::int / 32) n)),
			now(), now(), false, 1, 1, 0, 0, 0, 0, 0 FROM generate_series(1, $1::int) i`
	annotateLarge = `DO $$ BEGIN FOR i IN 1..600 LOOP
			INSERT INTO task_completion (result, task_id, project_id, was_cancelled, ground_truth, created_at, updated_at, result_count, bulk_created)
				VALUES ('[]', 100000 + i, 1, false, false, now(), now(), 0, false);
			COMMIT;
		END LOOP; END $$`
)

// TestLargeBodiesBoundedMemory: the memory of the process is bounded whatever the tasks
// weigh, for a backlog and while it follows.
func TestLargeBodiesBoundedMemory(t *testing.T) {
	t.Parallel()
	eachFewRoute(t, func(t *testing.T, route proctest.Route) {
		const events, size, memory = 600, 400 << 10, 64 << 20
		db := cdctest.Private(t, throwaway.Options{}).LabelStudio(t)
		receiver := &weighed{bodies: map[string]int64{}}
		onlyHook(t, db, receiver)
		db.Exec(t, largeTasks, events, size)

		variables := []string{"HOOKTAIL_LOG_LEVEL=info", "HOOKTAIL_MEMORY=64MiB"}
		log := route.Log(t)
		proctest.SetUp(t, db, log.Variables(variables...)[0]...)
		db.Exec(t, annotateLarge)
		p := programs(log.Run(t, db, variables...))
		for _, load := range []string{"a backlog", "live"} {
			if load == "live" {
				db.Exec(t, annotateLarge)
			}
			log.Delivered(t, db)
			got, least := receiver.reset()
			if got != events || least < size {
				t.Errorf("%s: %d events arrived, the least of them of %d bytes; want %d of %d and more", load, got, least, events, size)
			}
			t.Logf("%s of %d events on tasks of %d KiB", load, events, size>>10)
			p.checkPeak(t, memory)
		}
	})
}

// hangingHook makes the only hook one whose receiver answers nothing until goOn.
func hangingHook(t *testing.T, db *cdctest.Database) (goOn func()) {
	t.Helper()
	answers := make(chan struct{})
	onlyHook(t, db, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-answers:
		case <-r.Context().Done():
		}
	}))
	return func() { close(answers) }
}

// waitEvents waits until the reader has made n events of the action.
func (p programs) waitEvents(t *testing.T, action string, n int) {
	t.Helper()
	proctest.WaitFor(t, func() error {
		_, metrics := p.reader().Get(t, "/metrics")
		if made := value(metrics, `hooktail_events_total{action="`+action+`"}`); made != strconv.Itoa(n) {
			return fmt.Errorf("%s events were made, want %d", made, n)
		}
		return nil
	})
}

// checkPeak checks that each program has kept its HOOKTAIL_MEMORY, with a quarter to spare.
func (p programs) checkPeak(t *testing.T, memory int) {
	t.Helper()
	most := p.peak(t)
	t.Logf("peak %d MiB", most>>20)
	if most > memory*5/4 {
		t.Errorf("peak memory is %d MiB, more than 1.25 times %d MiB", most>>20, memory>>20)
	}
}

// annotateBesideLarge annotates tasks of project 1 in one transaction, each annotation with a
// large task of project 2 beside it.
const annotateBesideLarge = `DO $$ DECLARE large text; labeled integer; BEGIN
		SELECT string_agg(md5(n::text), '') INTO large FROM generate_series(1, 1900) n;
		FOR labeled IN SELECT id FROM task WHERE project_id = 1 ORDER BY id DESC LIMIT 4000 LOOP
			INSERT INTO task_completion (result, task_id, project_id, was_cancelled, ground_truth, created_at, updated_at, result_count, bulk_created)
				VALUES ('[]', labeled, 1, false, false, now(), now(), 0, false);
			INSERT INTO task (data, created_at, updated_at, is_labeled, project_id, overlap, total_annotations, cancelled_annotations,
					total_predictions, comment_count, unresolved_comment_count)
				VALUES (jsonb_build_object('text', large), now(), now(), false, 2, 1, 0, 0, 0, 0, 0);
		END LOOP; END $$`

// TestSlowHookHoldsNoRows: what waits for a slow hook, with payloads or without, does not hold
// the rows of its transaction.
func TestSlowHookHoldsNoRows(t *testing.T) {
	t.Parallel()
	for _, payloads := range []bool{true, false} {
		t.Run("payloads="+strconv.FormatBool(payloads), func(t *testing.T) {
			t.Parallel()
			const events, memory = 4000, 64 << 20
			db := cdctest.Private(t, throwaway.Options{}).LabelStudio(t)
			goOn := hangingHook(t, db)
			db.Exec(t, "UPDATE webhook SET send_payload = $1", payloads)
			db.Exec(t, insertTasks, events)
			p := programs{proctest.Run(t, db, "HOOKTAIL_LOG_LEVEL=info", "HOOKTAIL_MEMORY=64MiB", "HOOKTAIL_TIMEOUT=30s")}
			db.Exec(t, annotateBesideLarge)
			p.waitEvents(t, "ANNOTATION_CREATED", events)
			goOn()
			proctest.Confirmed(t, db)
			p.checkPeak(t, memory)
		})
	}
}

// TestSlowHookHoldsProjects: a slow hook that gets one event of each batch holds the project of
// each batch, however many events shared it.
func TestSlowHookHoldsProjects(t *testing.T) {
	t.Parallel()
	const batches, memory = 120, 64 << 20
	db := cdctest.Private(t, throwaway.Options{}).LabelStudio(t)
	goOn := hangingHook(t, db)
	variables := []string{"HOOKTAIL_LOG_LEVEL=info", "HOOKTAIL_MEMORY=64MiB", "HOOKTAIL_TIMEOUT=10s"}
	proctest.SetUp(t, db, variables...)
	db.Exec(t, "UPDATE webhook SET send_for_all_actions = false")
	db.Exec(t, "INSERT INTO webhook_action (webhook_id, action) VALUES (1, 'ANNOTATIONS_DELETED')")
	db.Exec(t, `INSERT INTO webhook (id, url, organization_id, project_id, send_payload, send_for_all_actions, headers, is_active, created_at, updated_at)
		SELECT 2, url, 1, 1, true, true, '{}', true, created_at, updated_at FROM webhook WHERE id = 1`)
	db.Exec(t, `INSERT INTO hooktail.hook_setting (hook_id, filter) VALUES (2, 'action == "NONE"')`) // its events are rendered
	db.Exec(t, `UPDATE project SET label_config = '<View><!--' || (SELECT string_agg(md5(n::text), '') FROM generate_series(1, 40000) n) || '--></View>'
		WHERE id = 1`)
	db.Exec(t, insertTasks, 50)
	db.Exec(t, `DO $$ BEGIN FOR i IN 1..`+strconv.Itoa(batches)+` LOOP
			INSERT INTO task_completion (result, task_id, project_id, was_cancelled, ground_truth, created_at, updated_at, result_count, bulk_created)
				SELECT '[]', t.id, 1, false, false, now(), now(), 0, false
				FROM generate_series(1, 10) n, (SELECT id FROM task WHERE project_id = 1 ORDER BY id DESC LIMIT 50) t;
			COMMIT;
			DELETE FROM task_completion WHERE id = (SELECT max(id) FROM task_completion);
			COMMIT;
		END LOOP; END $$`)
	p := programs{proctest.Run(t, db, variables...)}
	p.waitEvents(t, "ANNOTATIONS_DELETED", batches)
	goOn()
	proctest.Confirmed(t, db)
	p.checkPeak(t, memory)
}
