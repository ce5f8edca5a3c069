//go:build long

package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// model is what a session has written, as far as the rules of events need it.
// Sessions do not touch each other's rows, so each knows its own for certain. A
// clone is a savepoint.
type model struct {
	projects    map[int64]projectModel
	tasks       map[int64]taskModel
	annotations map[int64]annotationModel
	hooks       map[int64]hookModel
	trash       map[int64]map[int64]taskModel // projects that are marked as deleted, with the tasks that are still there
}

type projectModel struct {
	shared  bool // of the base data: other sessions have tasks in it
	version int  // counts the updates that are told
	stale   bool // changed since without being told
}

type taskModel struct {
	project int64
	anchor  bool // never deleted
	orphan  bool // the project is cleared, as the Data Manager does before it deletes
	row     json.RawMessage
}

type annotationModel struct {
	task, project int64
	skipped       bool
	mark          string          // of the last write that is told
	row           json.RawMessage // as it is in the table, by to_jsonb
	quiet         bool            // updated_by changed since without being told
	untold        bool            // native: came with its task and has not changed since
}

// hookModel is a row of webhook with its rows of webhook_action. The zero
// hookModel, a hook that is deleted, wants nothing.
type hookModel struct {
	active, payload, all bool
	gone                 bool // deleted
	organization         int64
	project              int64  // 0: the organization's
	actions              string // chosen, in alphabetical order, separated by spaces
}

func newModel() model {
	return model{
		projects: map[int64]projectModel{}, tasks: map[int64]taskModel{}, annotations: map[int64]annotationModel{},
		hooks: map[int64]hookModel{}, trash: map[int64]map[int64]taskModel{},
	}
}

func (m model) clone() model {
	return model{
		projects: maps.Clone(m.projects), tasks: maps.Clone(m.tasks), annotations: maps.Clone(m.annotations),
		hooks: maps.Clone(m.hooks), trash: maps.Clone(m.trash),
	}
}

// tasksOf and annotationsOf are what belongs to a project or a task, in order of id.
func (m model) tasksOf(project int64) []int64 {
	return pick(m.tasks, func(_ int64, t taskModel) bool { return t.project == project })
}

func (m model) annotationsOf(task int64) []int64 {
	return pick(m.annotations, func(_ int64, a annotationModel) bool { return a.task == task })
}

// rows are the tasks that are in the database.
func (m model) rows() map[int64]taskModel {
	all := maps.Clone(m.tasks)
	for _, tasks := range m.trash {
		maps.Copy(all, tasks)
	}
	return all
}

// dropTask and dropProject forget a row with all that is in it.
func (m model) dropTask(id int64) {
	delete(m.tasks, id)
	maps.DeleteFunc(m.annotations, func(_ int64, a annotationModel) bool { return a.task == id })
}

func (m model) dropProject(id int64) {
	delete(m.projects, id)
	for _, task := range m.tasksOf(id) {
		m.dropTask(task)
	}
}

func (m model) dropHooksOf(project int64) {
	maps.DeleteFunc(m.hooks, func(_ int64, h hookModel) bool { return h.project == project })
}

// pick is the keys of the entries that match, in order.
func pick[V any](all map[int64]V, match func(int64, V) bool) []int64 {
	var ids []int64
	for id, v := range all {
		if match(id, v) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// fact is one thing that a transaction did and a hook is told of, whatever else
// the same request tells.
type fact struct {
	action string // in the guide's spelling, of single rows in the singular
	id     int64  // of the row
	mark   string // of the write that made the annotation what it is in the body
}

// told is a fact that must arrive.
type told struct {
	fact
	annotation json.RawMessage // the row as of the commit, if the fact shows it
	tx         *journal
}

// journal is what a transaction did, for the reader of a failure.
type journal struct{ lines []string }

func (j *journal) String() string {
	text := strings.ToValidUTF8(strings.Join(j.lines, "; "), "?")
	if len(text) > 2000 {
		return text[:1000] + " … " + text[len(text)-1000:]
	}
	return text
}

// facts are what the hooks of the organization are told of a transaction that
// leads from one state to another. native says by whose rules.
func facts(before, after model, native bool) []told {
	all := ofProjects(before, after)
	for id := range after.tasks {
		if _, existed := before.tasks[id]; !existed {
			all = append(all, told{fact: fact{action: "TASK_CREATED", id: id}})
		}
	}
	for id, task := range before.tasks {
		if _, exists := after.tasks[id]; !exists && native && after.holds(task.project) {
			all = append(all, told{fact: fact{action: "TASK_DELETED", id: id}})
		}
	}
	return append(all, ofAnnotations(before, after, native)...)
}

func (m model) holds(project int64) bool {
	_, there := m.projects[project]
	return there
}

func ofProjects(before, after model) []told {
	var all []told
	for id, project := range after.projects {
		switch earlier, existed := before.projects[id]; {
		case !existed:
			all = append(all, told{fact: fact{action: "PROJECT_CREATED", id: id}})
		case earlier.version != project.version && !fed(before, after, id):
			all = append(all, told{fact: fact{action: "PROJECT_UPDATED", id: id}})
		}
	}
	for id := range before.projects {
		if !after.holds(id) {
			all = append(all, told{fact: fact{action: "PROJECT_DELETED", id: id}})
		}
	}
	return all
}

// fed reports whether tasks were inserted into the project.
func fed(before, after model, project int64) bool {
	for id, task := range after.tasks {
		if _, existed := before.tasks[id]; !existed && task.project == project {
			return true
		}
	}
	return false
}

func ofAnnotations(before, after model, native bool) []told {
	var all []told
	show := func(action string, id int64) {
		a := after.annotations[id]
		all = append(all, told{fact: fact{action: action, id: id, mark: a.mark}, annotation: a.row})
	}
	for id, a := range after.annotations {
		earlier, existed := before.annotations[id]
		_, known := before.tasks[a.task]
		switch {
		case existed && earlier.mark != a.mark:
			show("ANNOTATION_UPDATED", id)
		case existed || native && !known:
		case a.skipped && !native:
			show("ANNOTATION_UPDATED", id)
		default:
			show("ANNOTATION_CREATED", id)
		}
	}
	for id, a := range before.annotations {
		_, exists := after.annotations[id]
		_, known := after.tasks[a.task]
		if !exists && after.holds(a.project) && (known || !native) {
			all = append(all, told{fact: fact{action: "ANNOTATION_DELETED", id: id}})
		}
	}
	return all
}

// wants reports whether the hook is told of the request that another hook of its
// organization, which listens to everything, has got.
func (h hookModel) wants(d delivery) bool {
	if !h.active || h.project != 0 && h.project != d.project {
		return false
	}
	if h.project != 0 && (d.action == "PROJECT_CREATED" || d.action == "PROJECT_DELETED") {
		return false
	}
	if h.all {
		return true
	}
	return slices.ContainsFunc(strings.Fields(h.actions), func(action string) bool { return singular(action) == singular(d.action) })
}

// singular is the one spelling of the two that the guide and the application have
// for the actions of tasks.
func singular(action string) string {
	return strings.Replace(action, "TASKS_", "TASK_", 1)
}
