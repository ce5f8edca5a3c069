package mapping

import (
	"slices"

	"github.com/hooktail/hooktail/cdc"
)

// tellingColumns are the columns whose change makes an event in the guide's profile even
// if updated_at does not move: the settings of a project, and what was annotated. A
// change of other columns only is housekeeping of the application: a counter, a derived
// value, the user who saved the row, or a column that a migration has added and fills.
var tellingColumns = [tables][]string{
	project: {
		"title", "description", "color", "organization_id",
		"label_config", "control_weights", "expert_instruction", "show_instruction",
		"sampling", "maximum_annotations", "overlap_cohort_percentage", "show_overlap_first", "show_ground_truth_first",
		"show_skip_button", "skip_queue", "enable_empty_annotation", "show_annotation_history", "custom_task_lock_ttl",
		"model_version", "min_annotations_to_start_training", "evaluate_predictions_automatically",
		"show_collab_predictions", "reveal_preannotations_interactively", "annotator_evaluation_enabled",
		"task_data_login", "task_data_password", "is_published", "is_draft",
	},
	annotation: {"result", "was_cancelled", "ground_truth", "lead_time", "task_id"},
}

// references are the tellingColumns that refer to a row. A change from or to null is no
// event: the row referred to was removed, or a migration has filled the column.
var references = map[string]bool{"organization_id": true, "task_id": true}

type telling struct {
	column    int
	reference bool
}

// rearranges reports whether an update of a project rearranges the overlap of its tasks,
// or may because the old row is unknown.
func (s *shape) rearranges(c *cdc.Change) bool {
	return !s.full() || c.Old.IsZero() || slices.ContainsFunc(rearranging, func(name string) bool {
		return differs(c.Old, c.New, s.relation.Index(name))
	})
}

// tells reports whether a telling column differs between the old row, which must be
// whole, and the new one.
func (s *shape) tells(old, row cdc.Tuple) bool {
	for _, t := range s.telling {
		set := old.Kind(t.column) != cdc.Null && row.Kind(t.column) != cdc.Null
		if differs(old, row, t.column) && (set || !t.reference) {
			return true
		}
	}
	return false
}
