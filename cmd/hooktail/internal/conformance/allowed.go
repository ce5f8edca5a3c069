package conformance

import "slices"

// An Exception is an accepted difference between the requests of hooktail and those it is
// compared with, and the reason. Unless May is set, which CompareDerived alone knows, a
// comparison fails if the exception does not occur exactly as described.
type Exception struct {
	Scenario string
	Why      string
	May      bool
	Hooks    []int64
	Action   string // action of the request

	// Exactly one of the following is set: for CompareNative one of the first three, for
	// CompareDerived Extra or Missing.

	// Extra: an additional request, whose body has these members; a body with only the
	// action stands for one without payload.
	Extra string
	// Differences: each of the recorded requests of that action differs in exactly these
	// places; Got "*" matches any value.
	Differences []Difference
	// Union: several requests, equal except for the list of that name, together have the
	// list of the one recorded request.
	Union string
	// Missing: a request with these members is not sent; "*" matches any.
	Missing string
}

const anything = "*"

// Exceptions are all that the recorded scenarios need in the profile native: the rows do
// not show what the application does, or the application is wrong.
func Exceptions() []Exception {
	return []Exception{
		{
			Scenario: "25-annotation-unskip-convert-to-draft",
			Why:      "the application looks the ids up after it has deleted the annotation, finds none, and by mistake sends nothing",
			Hooks:    []int64{1, 3, 6},
			Action:   "ANNOTATIONS_DELETED",
			Extra:    `{"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 15}], "project": {"id": 1}}`,
		},
		{
			Scenario: "25-annotation-unskip-convert-to-draft",
			Why:      "the same, for a hook without payload",
			Hooks:    []int64{2},
			Action:   "ANNOTATIONS_DELETED",
			Extra:    `{"action": "ANNOTATIONS_DELETED"}`,
		},
		{
			Scenario: "36-dm-predictions-to-annotations",
			Why:      "the application builds the payload before it updates the counters of the tasks",
			Hooks:    []int64{1, 6},
			Action:   "ANNOTATIONS_CREATED",
			Differences: []Difference{
				{"$.project.finished_task_number", "10", "13"},
				{"$.task[0].is_labeled", "false", "true"},
				{"$.task[0].total_annotations", "0", "1"},
				{"$.task[1].is_labeled", "false", "true"},
				{"$.task[1].total_annotations", "0", "1"},
				{"$.task[2].is_labeled", "false", "true"},
				{"$.task[2].total_annotations", "0", "1"},
			},
		},
		{
			Scenario:    "37-dm-delete-annotations",
			Why:         "the application builds the payload before it updates the counters of the tasks",
			Hooks:       []int64{1, 3, 6},
			Action:      "ANNOTATIONS_DELETED",
			Differences: []Difference{{"$.project.finished_task_number", "13", "10"}},
		},
		{
			Scenario:    "56-project-wipe-tasks-api",
			Why:         "wiping all tasks of a project names no project; the rows look like any other deletion",
			Hooks:       []int64{6},
			Action:      "TASKS_DELETED",
			Differences: []Difference{{"$.project", "", anything}},
		},
		{
			Scenario: "56-project-wipe-tasks-api",
			Why:      "wiping all tasks of a project goes to organization hooks only; the rows look like any other deletion",
			Hooks:    []int64{12},
			Action:   "TASKS_DELETED",
			Extra:    `{"action": "TASKS_DELETED", "tasks": [{"id": 144}], "project": {"id": 6}}`,
		},
		{
			Scenario: "59-local-storage-sync",
			Why:      "the application inserts each task in a transaction of its own and sends one request for all of them",
			Hooks:    []int64{6},
			Action:   "TASKS_CREATED",
			Union:    "tasks",
		},
		{
			Scenario: "60-dm-experimental-actions",
			Why:      "the application is silent about a propagated annotation; its row looks like any other",
			Hooks:    []int64{6},
			Action:   "ANNOTATION_CREATED",
			Extra:    `{"action": "ANNOTATION_CREATED", "annotation": {"id": 31, "parent_annotation": 8}, "task": {"id": 15}, "project": {"id": 2}}`,
		},
	}
}

// Of returns those of the exceptions that belong to the scenario.
func Of(scenario string, exceptions []Exception) []Exception {
	return slices.DeleteFunc(slices.Clone(exceptions), func(e Exception) bool { return e.Scenario != scenario })
}
