package conformance

import (
	"fmt"
	"slices"
	"strings"
)

// A mark is the row change by which the first transaction of a call is recognized.
type mark struct {
	verb  string // INSERT INTO, UPDATE or DELETE FROM
	table string
}

// callMarks are the beginnings of calls, for scenarios with several calls that change
// rows. changes.sql and wal.txt do not show them, but each call in api.txt begins with a
// different kind of change: the call begins with the first transaction that contains this
// change, after the previous call.
var callMarks = map[string][]mark{
	"42-hook-deactivated": {
		{"UPDATE", "webhook"},              // PATCH /api/webhooks/1/
		{"UPDATE", "webhook"},              // PATCH /api/webhooks/4/
		{"INSERT INTO", "task_completion"}, // POST /api/tasks/11/annotations/
	},
	"43-hook-reactivated": {
		{"UPDATE", "webhook"},              // PATCH /api/webhooks/1/
		{"UPDATE", "webhook"},              // PATCH /api/webhooks/4/
		{"INSERT INTO", "task_completion"}, // POST /api/tasks/12/annotations/
	},
	"44-hook-added-changed-deleted": {
		{"INSERT INTO", "webhook"},         // POST /api/webhooks/
		{"INSERT INTO", "task_completion"}, // POST /api/tasks/14/annotations/
		{"UPDATE", "webhook"},              // PATCH /api/webhooks/11/
		{"UPDATE", "task_completion"},      // PATCH /api/annotations/24/
		{"DELETE FROM", "webhook"},         // DELETE /api/webhooks/11/
		{"DELETE FROM", "task_completion"}, // DELETE /api/annotations/24/
	},
	"47-unicode-task-and-annotation": {
		{"INSERT INTO", "task"},            // POST /api/tasks/
		{"INSERT INTO", "task_completion"}, // POST /api/tasks/142/annotations/
	},
	"55-reimport": {
		{"INSERT INTO", "project"},                // POST /api/projects/
		{"INSERT INTO", "webhook"},                // POST /api/webhooks/
		{"INSERT INTO", "data_import_fileupload"}, // POST /api/projects/6/import?commit_to_project=false
		{"INSERT INTO", "task"},                   // POST /api/projects/6/reimport
	},
	"58-other-organization": {
		{"INSERT INTO", "task_completion"}, // POST /api/tasks/23/annotations/
		{"UPDATE", "project"},              // PATCH /api/projects/4/
		{"DELETE FROM", "task_completion"}, // DELETE /api/annotations/30/
	},
	"60-dm-experimental-actions": {
		{"UPDATE", "task"},                 // add_data_field
		{"INSERT INTO", "task_completion"}, // propagate_annotations
		{"UPDATE", "task_completion"},      // rename_labels
	},
	"61-undefined-stored-then-config": {
		{"INSERT INTO", "project"},                // POST /api/projects/
		{"INSERT INTO", "data_import_fileupload"}, // POST /api/projects/7/import
		{"UPDATE", "project"},                     // PATCH /api/projects/7/
		{"INSERT INTO", "task_completion"},        // POST /api/tasks/149/annotations/
	},
}

// Calls returns the statements of the scenario, grouped by call. A transaction (BEGIN to
// COMMIT) is never split. Run them in one session, and pause between two calls until all
// events are delivered.
func (s Scenario) Calls() ([][]string, error) {
	txs := transactions(statements(s.Changes))
	groups, err := byCall(s.Name, txs, func(tx []string, m mark) bool {
		return slices.ContainsFunc(tx, func(statement string) bool {
			return strings.HasPrefix(statement, fmt.Sprintf("%s %q ", m.verb, m.table))
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

// byCall groups the transactions of a scenario by call.
func byCall[T any](scenario string, txs []T, begins func(T, mark) bool) ([][]T, error) {
	marks := callMarks[scenario]
	if len(marks) == 0 && len(txs) > 0 {
		return [][]T{txs}, nil
	}
	var groups [][]T
	for _, tx := range txs {
		if len(groups) < len(marks) && begins(tx, marks[len(groups)]) {
			groups = append(groups, nil)
		}
		last := len(groups) - 1
		if last < 0 {
			return nil, fmt.Errorf("scenario %s: the first transaction does not belong to the first call", scenario)
		}
		groups[last] = append(groups[last], tx)
	}
	if len(groups) != len(marks) {
		return nil, fmt.Errorf("scenario %s: %d of %d calls found", scenario, len(groups), len(marks))
	}
	return groups, nil
}
