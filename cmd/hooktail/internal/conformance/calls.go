package conformance

import (
	"fmt"
	"slices"
	"strings"
)

// A mark is the row change by which the first transaction of a call is recognized.
type mark struct {
	op    string // INSERT, UPDATE or DELETE
	table string
}

// callMarks are the beginnings of calls, for scenarios with several calls that change
// rows. changes.sql and wal.txt do not show them, but each call in api.txt begins with a
// different kind of change: the call begins with the first transaction that contains this
// change, after the previous call.
var callMarks = map[string][]mark{
	"42-hook-deactivated": {
		{"UPDATE", "webhook"},         // PATCH /api/webhooks/1/
		{"UPDATE", "webhook"},         // PATCH /api/webhooks/4/
		{"INSERT", "task_completion"}, // POST /api/tasks/11/annotations/
	},
	"43-hook-reactivated": {
		{"UPDATE", "webhook"},         // PATCH /api/webhooks/1/
		{"UPDATE", "webhook"},         // PATCH /api/webhooks/4/
		{"INSERT", "task_completion"}, // POST /api/tasks/12/annotations/
	},
	"44-hook-added-changed-deleted": {
		{"INSERT", "webhook"},         // POST /api/webhooks/
		{"INSERT", "task_completion"}, // POST /api/tasks/14/annotations/
		{"UPDATE", "webhook"},         // PATCH /api/webhooks/11/
		{"UPDATE", "task_completion"}, // PATCH /api/annotations/24/
		{"DELETE", "webhook"},         // DELETE /api/webhooks/11/
		{"DELETE", "task_completion"}, // DELETE /api/annotations/24/
	},
	"47-unicode-task-and-annotation": {
		{"INSERT", "task"},            // POST /api/tasks/
		{"INSERT", "task_completion"}, // POST /api/tasks/142/annotations/
	},
	"55-reimport": {
		{"INSERT", "project"},                // POST /api/projects/
		{"INSERT", "webhook"},                // POST /api/webhooks/
		{"INSERT", "data_import_fileupload"}, // POST /api/projects/6/import?commit_to_project=false
		{"INSERT", "task"},                   // POST /api/projects/6/reimport
	},
	"58-other-organization": {
		{"INSERT", "task_completion"}, // POST /api/tasks/23/annotations/
		{"UPDATE", "project"},         // PATCH /api/projects/4/
		{"DELETE", "task_completion"}, // DELETE /api/annotations/30/
	},
	"60-dm-experimental-actions": {
		{"UPDATE", "task"},            // add_data_field
		{"INSERT", "task_completion"}, // propagate_annotations
		{"UPDATE", "task_completion"}, // rename_labels
	},
	"61-undefined-stored-then-config": {
		{"INSERT", "project"},                // POST /api/projects/
		{"INSERT", "data_import_fileupload"}, // POST /api/projects/7/import
		{"UPDATE", "project"},                // PATCH /api/projects/7/
		{"INSERT", "task_completion"},        // POST /api/tasks/149/annotations/
	},
}

// Calls returns the statements of the scenario, grouped by call. A transaction (BEGIN to
// COMMIT) is never split. Run them in one session, and pause between two calls until all
// events are delivered.
func (s Scenario) Calls() ([][]string, error) {
	txs := transactions(statements(s.Changes))
	groups, err := byCall(s.Name, txs, func(tx []string, m mark) bool {
		return slices.ContainsFunc(tx, func(statement string) bool {
			return strings.HasPrefix(statement, m.sql())
		})
	})
	if err != nil {
		return nil, err
	}
	var calls [][]string
	for _, group := range groups {
		calls = append(calls, slices.Concat(group...))
	}
	return calls, nil
}

// Transactions returns the statements of the scenario, grouped by transaction.
func (s Scenario) Transactions() [][]string { return transactions(statements(s.Changes)) }

func (m mark) sql() string {
	switch m.op {
	case "INSERT":
		return fmt.Sprintf("INSERT INTO %q ", m.table)
	case "DELETE":
		return fmt.Sprintf("DELETE FROM %q ", m.table)
	default:
		return fmt.Sprintf("UPDATE %q ", m.table)
	}
}

// byCall groups the transactions of a scenario by call.
func byCall[T any](scenario string, txs []T, begins func(T, mark) bool) ([][]T, error) {
	marks := callMarks[scenario]
	if len(marks) == 0 {
		if len(txs) == 0 {
			return nil, nil
		}
		return [][]T{txs}, nil
	}
	groups := [][]T{nil}
	for i, tx := range txs {
		switch next := marks[min(len(groups), len(marks)-1)]; {
		case i == 0:
			if !begins(tx, marks[0]) {
				return nil, fmt.Errorf("scenario %s: the first transaction does not belong to the first call", scenario)
			}
		case len(groups) < len(marks) && begins(tx, next):
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], tx)
	}
	if len(groups) != len(marks) {
		return nil, fmt.Errorf("scenario %s: %d of %d calls found", scenario, len(groups), len(marks))
	}
	return groups, nil
}
