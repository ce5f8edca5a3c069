package mapping

import (
	"fmt"

	"github.com/hooktail/hooktail/cdc"
)

// table identifies one of Label Studio's tables.
type table byte

const (
	other table = iota // makes no events
	project
	task
	annotation
	tables // number of tables
)

// String returns the table's label in metrics and logs, whatever its name in the
// database.
func (t table) String() string {
	return [...]string{"other", "project", "task", "annotation"}[t]
}

// A MissingColumnError states that a table lacks a column that the rules need.
type MissingColumnError struct {
	Schema, Table, Column string
}

func (e *MissingColumnError) Error() string {
	return fmt.Sprintf("table %s.%s has no column %s: set the right table in the configuration, "+
		"and publish all of its columns", e.Schema, e.Table, e.Column)
}

// shape holds the positions of the columns that the rules need; -1 for an optional column
// that is missing.
type shape struct {
	table    table
	relation *cdc.Relation

	id, project, task, organization           int
	updatedAt, deletedAt                      int
	wasCancelled, parentPrediction, updatedBy int
	groundTruth, cohort, labeled              int

	telling []telling // only in the guide's profile
}

// CheckColumns returns a *MissingColumnError if the table lacks a column that the rules
// need. Tables that make no events need none.
func CheckColumns(schema, table string, columns []string, names Tables) error {
	rel := &cdc.Relation{Schema: schema, Name: table}
	for _, name := range columns {
		rel.Columns = append(rel.Columns, cdc.Column{Name: name})
	}
	_, err := newShape(rel, Options{Tables: names}.withDefaults().Tables)
	return err
}

// newShape looks up the columns, once per relation.
func newShape(rel *cdc.Relation, names Tables) (*shape, error) {
	s := &shape{relation: rel}
	if rel.Schema == names.Schema {
		for t := project; t < tables; t++ {
			if rel.Name == names.name(t) {
				s.table = t
			}
		}
	}
	if s.table == other {
		return s, nil
	}
	var missing error
	required := func(name string) int {
		i := rel.Index(name)
		if i < 0 && missing == nil {
			missing = &MissingColumnError{rel.Schema, rel.Name, name}
		}
		return i
	}
	s.id, s.project, s.task, s.organization, s.updatedAt = required("id"), -1, -1, -1, -1
	s.deletedAt, s.wasCancelled, s.parentPrediction, s.updatedBy, s.groundTruth, s.cohort = -1, -1, -1, -1, -1, -1
	s.labeled = -1
	switch s.table {
	case project:
		s.organization, s.updatedAt = required("organization_id"), required("updated_at")
		s.deletedAt, s.cohort = rel.Index("deleted_at"), rel.Index("overlap_cohort_percentage")
	case task:
		s.project = required("project_id")
		s.updatedAt, s.updatedBy = rel.Index("updated_at"), rel.Index("updated_by_id")
		s.labeled = rel.Index("is_labeled")
	case annotation:
		s.task, s.updatedAt, s.wasCancelled = required("task_id"), required("updated_at"), required("was_cancelled")
		s.project = rel.Index("project_id")
		s.parentPrediction, s.updatedBy = rel.Index("parent_prediction_id"), rel.Index("updated_by_id")
		s.groundTruth = rel.Index("ground_truth")
	}
	s.telling = tellingIn(rel, s.table)
	return s, missing
}

// full reports whether old rows are whole: otherwise they contain only the key.
func (s *shape) full() bool { return s.relation.Identity == 'f' }

// ref returns the id in a column that refers to a row, 0 if there is none.
func ref(row cdc.Tuple, column int) int64 {
	n, _ := number(row.Text(column))
	return n
}

// number reads a decimal integer.
func number(text []byte) (int64, bool) {
	digits, negative := text, false
	if len(digits) > 0 && digits[0] == '-' {
		digits, negative = digits[1:], true
	}
	if len(digits) == 0 || len(digits) > 19 { // 2^63 has 19 digits
		return 0, false
	}
	var n uint64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	if negative && n <= 1<<63 {
		return -int64(n), true
	}
	if n > 1<<63-1 {
		return 0, false
	}
	return int64(n), true
}

// isTrue reports whether a boolean column is true.
func isTrue(row cdc.Tuple, column int) bool {
	text := row.Text(column)
	return len(text) == 1 && text[0] == 't'
}

func differs(old, row cdc.Tuple, column int) bool {
	if row.Kind(column) == cdc.Unchanged || old.Kind(column) == cdc.Unchanged {
		return false
	}
	return row.Kind(column) != old.Kind(column) || string(row.Text(column)) != string(old.Text(column))
}
