package mapping

import "github.com/hooktail/hooktail/cdc"

// tellingColumns are the columns whose change is an event in the guide's profile
// while updated_at stands still: the settings of a project, and what says of an
// annotation what was annotated. A change of any other column alone is
// housekeeping of the application: a counter, a derived value, who saved the row,
// or a column that a migration has added and fills.
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

// references are those of tellingColumns that refer to a row. One that turns from
// or to null tells nothing: the row that it referred to was removed, or a migration
// has filled it in.
var references = map[string]bool{"organization_id": true, "task_id": true}

// telling is where a telling column is in a relation.
type telling struct {
	column    int
	reference bool
}

// tellingIn are those that the relation has.
func tellingIn(rel *cdc.Relation, of table) []telling {
	var all []telling
	for _, name := range tellingColumns[of] {
		if i := rel.Index(name); i >= 0 {
			all = append(all, telling{i, references[name]})
		}
	}
	return all
}

// rearranges reports whether an update of a project has the overlap of its tasks arranged
// anew, or may have: the old row is not known.
func (s *shape) rearranges(c *cdc.Change) bool {
	if !s.full() || c.Old.IsZero() {
		return true
	}
	for _, name := range rearranging {
		if i := s.relation.Index(name); i >= 0 && differs(c.Old, c.New, i) {
			return true
		}
	}
	return false
}

// tells reports whether a telling column differs between the old row, which must
// be whole, and the new one. A TOASTed value that the update did not touch is equal.
func (s *shape) tells(old, row cdc.Tuple) bool {
	for _, t := range s.telling {
		if !differs(old, row, t.column) {
			continue
		}
		if t.reference && (old.Kind(t.column) == cdc.Null || row.Kind(t.column) == cdc.Null) {
			continue
		}
		return true
	}
	return false
}
