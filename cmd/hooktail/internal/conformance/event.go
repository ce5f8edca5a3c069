package conformance

import (
	"encoding/json"
	"slices"
)

// event is the result of a rule for a transaction.
type event struct {
	action  string
	project int64
	// organizationOnly: the project's own hooks do not get it.
	organizationOnly bool
	organization     int64
	tasks            []int64 // tasks of the event; for ANNOTATIONS_CREATED in the order of the annotations
	annotations      []Row   // as of the commit; nil if deleted
	deleted          []int64 // deleted ids
	row              Row     // row of the event, as of the commit
}

// transaction is a transaction that was applied to the database.
type transaction struct {
	db      *database
	effects []effect
}

// any reports whether did is true for an effect on a row of the table.
func (tx transaction) any(table string, did func(effect) bool) bool {
	return slices.ContainsFunc(tx.effects, func(e effect) bool { return e.table == table && did(e) })
}

// projectGone reports whether the project was deleted, or marked as deleted.
func (tx transaction) projectGone(id int64) bool {
	return tx.any(projects, func(e effect) bool { return e.id == id && gone(e) })
}

func gone(project effect) bool {
	return project.deleted() ||
		project.updated() && project.before.null("deleted_at") && !project.after.null("deleted_at")
}

// projectOf returns the present or last project of the row.
func (tx transaction) projectOf(e effect) int64 {
	switch row := e.last(); {
	case e.table == projects:
		return e.id
	case row.id("project_id") != 0:
		return row.id("project_id")
	case e.table == tasks:
		return tx.db.home[e.id]
	default:
		return tx.db.home[row.id("task_id")]
	}
}

// organizationOf returns the organization of a project, which may be deleted.
func (tx transaction) organizationOf(project int64) int64 {
	for _, e := range tx.effects {
		if e.table == projects && e.id == project {
			return e.last().id("organization_id")
		}
	}
	return tx.db.rows[projects][project].id("organization_id")
}

// event returns the event with the action that the effect makes.
func (tx transaction) event(action string, e effect) event {
	project := tx.projectOf(e)
	ev := event{action: action, project: project, organization: tx.organizationOf(project), row: e.after}
	switch e.table {
	case projects:
		ev.organizationOnly = action != "PROJECT_UPDATED"
	case tasks:
		ev.tasks = []int64{e.id}
	case annotations:
		ev.tasks = []int64{e.last().id("task_id")}
		ev.annotations = []Row{e.after}
	}
	if e.deleted() {
		ev.deleted = []int64{e.id}
	}
	return ev
}

// grouped adds the event to one of the same action and project, if there is one.
func grouped(events []event, ev event) []event {
	for i := range events {
		if same := &events[i]; same.action == ev.action && same.project == ev.project {
			same.tasks = append(same.tasks, ev.tasks...)
			same.annotations = append(same.annotations, ev.annotations...)
			same.deleted = append(same.deleted, ev.deleted...)
			return events
		}
	}
	return append(events, ev)
}

// body returns the payload of the event: annotations as of the commit, tasks and project
// as they are in the database, or, for an event about a deleted one, as of the commit.
// project renders the project.
func (ev event) body(db *database, action string, secrets bool, project func(int64) json.RawMessage) json.RawMessage {
	o := object{"action": encode(action), "project": project(ev.project)}
	task := func(id int64) json.RawMessage { return taskBody(db, id) }
	annotation := func(row Row) json.RawMessage { return encode(db.columns(annotations, row)) }
	switch ev.action {
	case "PROJECT_CREATED", "PROJECT_UPDATED":
		if _, there := db.rows[projects][ev.project]; !there {
			o["project"] = goneProjectBody(db, ev, secrets)
		}
	case "PROJECT_DELETED":
		o["project"] = onlyID(ev.project)
	case "TASK_CREATED", "TASKS_CREATED":
		o["tasks"] = listOf(ev.tasks, task)
		if _, there := db.rows[tasks][ev.tasks[0]]; !there && ev.action == "TASK_CREATED" {
			o["tasks"] = encode([]json.RawMessage{rowBody(db, ev.row)})
		}
	case "TASKS_DELETED":
		o["tasks"] = listOf(ev.deleted, onlyID)
	case "ANNOTATIONS_DELETED":
		o["annotations"] = listOf(ev.deleted, onlyID)
	case "ANNOTATION_CREATED", "ANNOTATION_UPDATED":
		o["annotation"] = annotation(ev.annotations[0])
		o["task"] = task(ev.tasks[0])
	case "ANNOTATIONS_CREATED":
		o["annotation"] = listOf(ev.annotations, annotation)
		o["task"] = listOf(ev.tasks, task)
	}
	return encode(o)
}

func listOf[T any](all []T, render func(T) json.RawMessage) json.RawMessage {
	elements := []json.RawMessage{}
	for _, element := range all {
		elements = append(elements, render(element))
	}
	return encode(elements)
}
