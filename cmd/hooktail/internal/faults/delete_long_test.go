//go:build long

package faults

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// unhindered runs statements in one session without triggers and foreign keys,
// which would take most of the time.
func unhindered(t testing.TB, db *cdctest.Database, statements ...string) {
	t.Helper()
	conn := db.Connect(t)
	defer conn.Close(context.Background())
	for _, sql := range append([]string{"SET session_replication_role = replica"}, statements...) {
		if _, err := conn.Exec(context.Background(), sql); err != nil {
			t.Fatalf("run %.100q: %v", sql, err)
		}
	}
}

// TestLargeDeletionIsCut: what a transaction of a million deletions has to say when
// it has ended is held as ids, and comes in several events of a bounded size.
func TestLargeDeletionIsCut(t *testing.T) {
	t.Parallel()
	eachFewRoute(t, func(t *testing.T, route proctest.Route) {
		const rows, size = 1_000_000, 5000 // of an event
		db := cdctest.Private(t, throwaway.Options{}).LabelStudio(t)
		c := counted(t, db)
		unhindered(t, db,
			`DO $$ DECLARE i text; BEGIN
				FOR i IN SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'task_completion'::regclass AND NOT indisunique LOOP
					EXECUTE 'DROP INDEX ' || i;
				END LOOP; END $$`,
			"DELETE FROM task_completion",
			fmt.Sprintf(`INSERT INTO task_completion (result, task_id, project_id, completed_by_id, updated_by_id, was_cancelled,
				ground_truth, created_at, updated_at, prediction, result_count, bulk_created)
				SELECT '[]', 7 + n %% 6, 1, 1, 1, false, false, now(), now(), '{}', 0, false FROM generate_series(1, %d) n`, rows))
		log := route.Log(t)
		p := programs(log.Run(t, db, "HOOKTAIL_LOG_LEVEL=info", "HOOKTAIL_SETTLE=0"))
		before := p.peak(t)

		begun := time.Now()
		unhindered(t, db, "DELETE FROM task_completion")
		deleted := time.Since(begun)
		proctest.WaitFor(t, func() error {
			if n := c.arrived(); n < rows/size {
				return fmt.Errorf("%d events have arrived", n)
			}
			return nil
		})
		log.Delivered(t, db)
		after := p.peak(t)
		t.Logf("deleted in %s, all told %s later; peak %d MiB, %d MiB before", deleted.Round(time.Second),
			(time.Since(begun) - deleted).Round(time.Millisecond), after>>20, before>>20)
		events, ids, largest := c.reset()
		if events != rows/size || ids != rows {
			t.Errorf("%d events with %d ids, want %d with %d", events, ids, rows/size, rows)
		}
		if most := 32 * size; largest > most {
			t.Errorf("the largest body has %d bytes, want at most %d", largest, most)
		}
		// A deleted row is held in some 24 bytes, and its lists grow by doubling.
		if grown := after - before; grown > 100*rows {
			t.Errorf("the memory grew by %d bytes for each deleted row", grown/rows)
		}
		if _, metrics := p.reader().Get(t, "/metrics"); value(metrics, "hooktail_reconnects_total") != "0" {
			t.Errorf("reconnects = %s", value(metrics, "hooktail_reconnects_total"))
		}
	})
}
