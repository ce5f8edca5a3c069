package mapping

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestUnrecordedActions: what the application does to the rows in actions that no
// recorded scenario has, by its source, one string per transaction. docs/parity.md has
// the table.
func TestUnrecordedActions(t *testing.T) {
	stamp := "updated_at = updated_at + interval '1 minute'"
	tasks := func(n int) string {
		return fmt.Sprintf(`INSERT INTO task (data, created_at, updated_at, is_labeled, project_id, overlap, total_annotations, cancelled_annotations,
			total_predictions, comment_count, unresolved_comment_count)
			SELECT '{}', now(), now(), false, 1, 1, 0, 0, 0, 0, 0 FROM generate_series(1, %d)`, n)
	}
	annotation := `INSERT INTO task_completion (result, was_cancelled, ground_truth, created_at, updated_at, task_id, project_id, result_count, completed_by_id)
		SELECT '[]', false, false, now(), now(), max(id), 1, 0, 1 FROM task`
	for _, tt := range []struct {
		name          string
		txs           []string
		guide, native string
	}{
		{
			"annotated duplicates are merged in the Data Manager",
			[]string{
				"UPDATE task_completion SET task_id = 4 WHERE task_id = 5",
				"UPDATE task SET project_id = NULL WHERE id = 5",
				"DELETE FROM task WHERE id = 5",
				"UPDATE task SET total_annotations = 0 WHERE project_id = 1; UPDATE task SET total_annotations = 3 WHERE id = 4",
			},
			"ANNOTATION_UPDATED [6]", "TASKS_DELETED [5]",
		},
		{
			"a label is renamed in all annotations",
			[]string{`UPDATE task_completion SET result = '[{"type": "choices"}]' WHERE id IN (1, 2)`},
			"ANNOTATION_UPDATED [1], ANNOTATION_UPDATED [2]", "",
		},
		{
			"another annotation becomes the ground truth",
			[]string{
				"UPDATE task_completion SET updated_by_id = 1 WHERE id = 5",
				"UPDATE task_completion SET ground_truth = true, " + stamp + " WHERE id = 5",
				"UPDATE task_completion SET updated_by_id = 1 WHERE id = 4",
				"UPDATE task_completion SET ground_truth = false WHERE task_id = 4 AND id <> 4",
				"UPDATE task_completion SET ground_truth = true, " + stamp + " WHERE id = 4",
			},
			"ANNOTATION_UPDATED [5], ANNOTATION_UPDATED [5], ANNOTATION_UPDATED [4]", "ANNOTATION_UPDATED [5], ANNOTATION_UPDATED [4]",
		},
		{
			"an ML backend or its predictions are deleted",
			[]string{
				"UPDATE project SET model_version = '' WHERE id = 3",
				"UPDATE task_completion SET parent_prediction_id = NULL WHERE project_id = 3; DELETE FROM prediction WHERE project_id = 3",
				"UPDATE task SET total_predictions = 0, " + stamp + " WHERE project_id = 3",
			},
			"PROJECT_UPDATED [3]", "",
		},
		{
			"the parent of propagated annotations is deleted",
			[]string{
				"UPDATE task_completion SET parent_annotation_id = 1 WHERE id = 2",
				"UPDATE task_completion SET parent_annotation_id = NULL WHERE id = 2; DELETE FROM task_completion WHERE id = 1",
			},
			"ANNOTATIONS_DELETED [1]", "ANNOTATIONS_DELETED [1]",
		},
		{
			"a background import in batches, with predictions and annotations",
			[]string{
				tasks(2) + "; UPDATE project SET model_version = 'm', " + stamp + " WHERE id = 1",
				tasks(1) + "; " + annotation,
				"UPDATE task SET is_labeled = true WHERE id > 24",
			},
			"TASK_CREATED [25], TASK_CREATED [26], TASK_CREATED [27], ANNOTATION_CREATED [13]", "TASKS_CREATED [25 26], TASKS_CREATED [27]",
		},
		{
			"the uploaded files of tasks are imported again",
			[]string{
				"DELETE FROM task_completion WHERE task_id = 4; DELETE FROM task WHERE id IN (4, 7)",
				tasks(2),
			},
			"ANNOTATIONS_DELETED [4 5], TASK_CREATED [25], TASK_CREATED [26]", "TASKS_DELETED [4 7], TASKS_CREATED [25 26]",
		},
		{
			"uploaded files are deleted, counters are computed anew, a token is reset",
			[]string{
				"UPDATE task SET file_upload_id = NULL", "UPDATE task SET total_annotations = 0, is_labeled = NOT is_labeled",
				"UPDATE project SET token = 'x'", "UPDATE task_completion SET updated_by_id = completed_by_id",
			},
			"", "",
		},
		{
			"a project is created on the command line",
			[]string{
				`INSERT INTO project (id, show_instruction, maximum_annotations, is_published, created_at, updated_at, show_skip_button, enable_empty_annotation,
					min_annotations_to_start_training, show_annotation_history, show_collab_predictions, show_ground_truth_first, overlap_cohort_percentage,
					show_overlap_first, result_count, organization_id, is_draft, evaluate_predictions_automatically, reveal_preannotations_interactively)
					VALUES (5, false, 1, false, now(), now(), true, true, 0, false, true, false, 100, false, 0, 1, false, false, false)`,
				"UPDATE project SET sampling = 'x', " + stamp + " WHERE id = 5",
			},
			"PROJECT_CREATED [5], PROJECT_UPDATED [5]", "PROJECT_CREATED [5], PROJECT_UPDATED [5]",
		},
		{
			"a project is soft-deleted, and later deleted in batches",
			[]string{
				"UPDATE project SET deleted_at = now() WHERE id = 3",
				"DELETE FROM task_completion WHERE task_id = 16; DELETE FROM task WHERE id IN (16, 18)",
				"UPDATE task SET project_id = NULL WHERE id IN (17, 19)",
				"DELETE FROM task_completion WHERE task_id = 17; DELETE FROM task WHERE id IN (17, 19)",
				"DELETE FROM task WHERE project_id = 3; DELETE FROM project WHERE id = 3",
			},
			"PROJECT_DELETED [3]", "PROJECT_DELETED [3]",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSlot(t, "FULL")
			for _, tx := range tt.txs {
				s.db.Exec(t, "BEGIN; SET LOCAL session_replication_role = replica; "+tx+"; COMMIT")
			}
			parts := s.parts(t)
			for profile, want := range map[Profile]string{Guide: tt.guide, Native: tt.native} {
				var told []string
				for _, e := range mapAll(t, NewMapper(Options{Profile: profile}), parts) {
					if e.subject.group != nil { // PostgreSQL visits rows in no fixed order
						slices.SortFunc(e.subject.group.members, func(a, b member) int { return int(a.id - b.id) })
					}
					words := strings.Split(tell(e), " ")
					told = append(told, strings.Join(words[1:len(words)-4], " "))
				}
				if diff := cmp.Diff(want, strings.Join(told, ", ")); diff != "" {
					t.Errorf("%s (-want +got):\n%s", profile, diff)
				}
			}
		})
	}
}
