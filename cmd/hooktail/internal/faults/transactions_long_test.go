//go:build long

package faults

import (
	"fmt"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestHugeRow: an annotation of 200 MB is delivered alone, and said; what comes
// after it is delivered too. It takes a few times its size of memory.
func TestHugeRow(t *testing.T) {
	t.Parallel()
	eachFewRoute(t, func(t *testing.T, route proctest.Route) {
		const size = 200_000_000
		s := prepareOn(t, route, cdctest.Private(t, throwaway.Options{}).LabelStudio(t), "steady")
		p := s.run(t, "HOOKTAIL_LOG_LEVEL=info", "HOOKTAIL_TIMEOUT=4m")
		s.db.Exec(t, fmt.Sprintf(`WITH made AS (INSERT INTO task_completion (result, task_id, project_id, completed_by_id, updated_by_id, was_cancelled,
				ground_truth, created_at, updated_at, prediction, result_count, bulk_created)
			SELECT jsonb_build_array(repeat('x', %d)), %d, %d, 1, 1, false, false, now(), now(), '{}', 1, false)
			INSERT INTO written (project, n, task) VALUES (%[3]d, 1, %[2]d)`, size, firstTask, firstProject))
		begun := time.Now()
		s.db.Exec(t, annotateSQL, firstProject, firstTask, tasksOfProject, 2, 11)
		s.check(t)
		s.neverAhead(t)
		p.sender().Stderr.Find(t, "(HOOKTAIL_MEMORY)", p.sender().Ended())
		p.stillRun(t)
		after := p.peak(t)
		t.Logf("delivered in %s, peak %d MiB", time.Since(begun).Round(time.Millisecond), after>>20)
		if after > 6*size {
			t.Errorf("peak memory is %d MiB for a row of %d MiB", after>>20, size>>20)
		}
	})
}

// TestManySubtransactions: of ten thousand savepoints every other one is rolled
// back, and nothing of it is ever sent.
func TestManySubtransactions(t *testing.T) {
	t.Parallel()
	eachFewRoute(t, func(t *testing.T, route proctest.Route) {
		const savepoints = 10_000
		s := prepareOn(t, route, cdctest.Private(t, throwaway.Options{}).LabelStudio(t), "steady")
		p := s.run(t, "HOOKTAIL_LOG_LEVEL=info")
		s.db.Exec(t, fmt.Sprintf(`DO $$ BEGIN FOR i IN 1..%d LOOP
			BEGIN
				INSERT INTO task_completion (result, task_id, project_id, completed_by_id, updated_by_id, was_cancelled,
					ground_truth, created_at, updated_at, prediction, result_count, bulk_created)
				VALUES ('[]', %d, %d, 1, 1, false, false, now(), now(), '{}', i, false);
				INSERT INTO written (project, n, task) VALUES (%[3]d, i, %[2]d);
				IF i %% 2 = 0 THEN RAISE EXCEPTION 'undone'; END IF;
			EXCEPTION WHEN raise_exception THEN NULL;
			END;
		END LOOP; END $$`, savepoints, firstTask, firstProject))
		s.check(t)
		if got := len(s.arrivals("steady")); got != savepoints/2 {
			t.Errorf("%d events arrived, want %d", got, savepoints/2)
		}
		s.neverAhead(t)
		p.stillRun(t)
	})
}
