//go:build long

package main

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc/cdctest"
)

// TestLongListsAreCut: an event tells of 5000 rows at most, as the application's
// own do; all of them are told once.
func TestLongListsAreCut(t *testing.T) {
	t.Parallel()
	const annotations = `INSERT INTO task_completion (id, result, task_id, project_id, completed_by_id, was_cancelled, ground_truth, created_at, updated_at,
		prediction, result_count) SELECT n, '[]', 7, 1, 1, false, false, now(), now(), '{}', 0 FROM generate_series(100001, 110003) n`
	const tasks = `INSERT INTO task (id, data, created_at, updated_at, is_labeled, project_id, overlap, total_annotations, cancelled_annotations,
		total_predictions, comment_count, unresolved_comment_count) SELECT n, '{}', now(), now(), false, 1, 1, 0, 0, 0, 0, 0 FROM generate_series(100001, 110003) n`
	for _, tt := range []struct{ name, profile, before, sql, action, member string }{
		{"deleted annotations", "guide", annotations, "DELETE FROM task_completion WHERE id > 100000", "ANNOTATIONS_DELETED", "annotations"},
		{"deleted annotations", "native", annotations, "DELETE FROM task_completion WHERE id > 100000", "ANNOTATIONS_DELETED", "annotations"},
		{"created tasks", "native", "SELECT 1", tasks, "TASKS_CREATED", "tasks"},
		{"deleted tasks", "native", tasks, "DELETE FROM task WHERE id > 100000", "TASKS_DELETED", "tasks"},
	} {
		t.Run(tt.name+" "+tt.profile, func(t *testing.T) {
			t.Parallel()
			db := cdctest.Postgres(t).LabelStudio(t)
			db.Exec(t, tt.before)
			c := receive(t, db)
			start(t, db, "HOOKTAIL_SETTLE=0", "HOOKTAIL_PROFILE="+tt.profile, "HOOKTAIL_TIMEOUT=1m") // long lists take their time
			db.Exec(t, tt.sql)
			delivered(t, db)
			var sizes []int
			seen := map[int64]bool{}
			for _, r := range ofHooks(c.Take(), 6) {
				if r.Action != tt.action {
					t.Errorf("got %s, want %s", r.Action, tt.action)
				}
				var body map[string]json.RawMessage
				var rows []struct{ ID int64 }
				if err := json.Unmarshal(r.Body, &body); err != nil {
					t.Fatal(err)
				}
				if err := json.Unmarshal(body[tt.member], &rows); err != nil {
					t.Fatal(err)
				}
				sizes = append(sizes, len(rows))
				for _, row := range rows {
					seen[row.ID] = true
				}
			}
			if diff := cmp.Diff([]int{5000, 5000, 3}, sizes); diff != "" {
				t.Errorf("rows of each request (-want +got):\n%s", diff)
			}
			if len(seen) != 10003 {
				t.Errorf("%d rows are told of, want 10003", len(seen))
			}
		})
	}
}
