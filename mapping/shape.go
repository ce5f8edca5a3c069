package mapping

import (
	"fmt"
	"strconv"

	"github.com/hooktail/hooktail/cdc"
)

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

var requiredColumns = [tables][]string{
	project:    {"id", "organization_id", "updated_at"},
	task:       {"id", "project_id"},
	annotation: {"id", "task_id", "updated_at", "was_cancelled"},
}

// newShape looks up the columns, once per relation.
func newShape(rel *cdc.Relation, names Tables) (*shape, error) {
	s := &shape{
		relation: rel,
		id:       rel.Index("id"), project: rel.Index("project_id"), task: rel.Index("task_id"), organization: rel.Index("organization_id"),
		updatedAt: rel.Index("updated_at"), deletedAt: rel.Index("deleted_at"),
		wasCancelled: rel.Index("was_cancelled"), parentPrediction: rel.Index("parent_prediction_id"), updatedBy: rel.Index("updated_by_id"),
		groundTruth: rel.Index("ground_truth"), cohort: rel.Index("overlap_cohort_percentage"), labeled: rel.Index("is_labeled"),
	}
	for t := project; t < tables && rel.Schema == names.Schema; t++ {
		if rel.Name == names.name(t) {
			s.table = t
		}
	}
	for _, name := range tellingColumns[s.table] {
		s.telling = append(s.telling, telling{rel.Index(name), references[name]})
	}
	for _, name := range requiredColumns[s.table] {
		if rel.Index(name) < 0 {
			return s, &MissingColumnError{rel.Schema, rel.Name, name}
		}
	}
	return s, nil
}

// full reports whether old rows are whole: otherwise they contain only the key.
func (s *shape) full() bool { return s.relation.Identity == 'f' }

// ref returns the id in a column that refers to a row, 0 if there is none.
func ref(row cdc.Tuple, column int) int64 {
	n, _ := number(row.Text(column))
	return n
}

func number(text []byte) (int64, bool) {
	if len(text) == 0 { // null: common, and an error would be allocated
		return 0, false
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return 0, false
	}
	return n, true
}

func isTrue(row cdc.Tuple, column int) bool {
	text := row.Text(column)
	return len(text) == 1 && text[0] == 't'
}

// differs reports whether the column has another value. An unchanged TOASTed value, or a
// column that is missing, counts as equal.
func differs(old, row cdc.Tuple, column int) bool {
	if row.Kind(column) == cdc.Unchanged || old.Kind(column) == cdc.Unchanged {
		return false
	}
	return row.Kind(column) != old.Kind(column) || string(row.Text(column)) != string(old.Text(column))
}
