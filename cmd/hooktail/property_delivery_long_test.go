//go:build long

package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
)

// delivery is a request as its reader understands it.
type delivery struct {
	hook    int64
	action  string
	id      string // webhook-id
	at      place
	project int64
	body    json.RawMessage
	payload bool

	annotations []annotation // created or updated
	erased      []int64      // annotations
	tasks       []int64      // created or deleted
	taskRows    []json.RawMessage
	row         json.RawMessage // of the project, if the event is about it
}

// place is where an event stands in the WAL, by its id.
type place struct {
	commit  uint64
	waits   bool // for the commit: those come after what could be told before it
	ordinal int
}

// waits reports whether events of the action are made when the whole transaction
// is known, whatever the place of the change.
func waits(action string, native bool) bool {
	switch singular(action) {
	case "PROJECT_UPDATED", "PROJECT_DELETED", "ANNOTATIONS_DELETED":
		return true
	case "TASK_CREATED", "TASK_DELETED", "ANNOTATION_CREATED", "ANNOTATIONS_CREATED":
		return native
	default:
		return false
	}
}

func (p place) compare(q place) int {
	if p.commit == q.commit && p.waits != q.waits {
		if p.waits {
			return 1
		}
		return -1
	}
	return cmp.Or(cmp.Compare(p.commit, q.commit), cmp.Compare(p.ordinal, q.ordinal))
}

// parseDelivery reads a request.
func parseDelivery(r conformance.Request) (delivery, error) {
	d := delivery{hook: r.Hook, action: r.Action, id: r.Headers["webhook-id"], body: r.Body}
	var timeline int
	if _, err := fmt.Sscanf(d.id, "%d-%X-%d", &timeline, &d.at.commit, &d.at.ordinal); err != nil {
		return d, fmt.Errorf("parse the id %q of hook %d: %w", d.id, d.hook, err)
	}
	var body struct {
		Annotation  json.RawMessage
		Annotations []json.RawMessage
		Task        json.RawMessage
		Tasks       []json.RawMessage
		Project     json.RawMessage
	}
	if err := json.Unmarshal(r.Body, &body); err != nil {
		return d, fmt.Errorf("parse the body of event %s: %w", d.id, err)
	}
	if d.payload = body.Project != nil; !d.payload {
		return d, nil
	}
	d.project = parseID(body.Project)
	for _, a := range listedIn(body.Annotation) {
		d.annotations = append(d.annotations, parseAnnotation(a))
	}
	for _, row := range body.Annotations {
		d.erased = append(d.erased, parseID(row))
	}
	for _, row := range body.Tasks {
		d.tasks = append(d.tasks, parseID(row))
	}
	if d.taskRows = listedIn(body.Task); strings.HasSuffix(d.action, "_CREATED") {
		d.taskRows = append(d.taskRows, body.Tasks...)
	}
	if strings.HasPrefix(d.action, "PROJECT_") {
		d.row = body.Project
	}
	return d, nil
}

// listed is the elements of a list, or what is there in the place of one.
func listedIn(value json.RawMessage) []json.RawMessage {
	var list []json.RawMessage
	switch {
	case value == nil:
		return nil
	case json.Unmarshal(value, &list) == nil:
		return list
	default:
		return []json.RawMessage{value}
	}
}

// parseID is the id of a row, 0 if it has none, which is no row's.
func parseID(row json.RawMessage) int64 {
	var members struct{ ID int64 }
	if err := json.Unmarshal(row, &members); err != nil {
		return 0
	}
	return members.ID
}

// annotation is an annotation as a payload shows it, and what the checks need of
// it.
type annotation struct {
	id, task, project int64
	mark              string
	body              json.RawMessage
}

func parseAnnotation(body json.RawMessage) annotation {
	var a struct {
		ID, Task, Project int64
		Mark              string `json:"last_action"`
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return annotation{mark: err.Error(), body: body} // which is no fact
	}
	return annotation{a.ID, a.Task, a.Project, a.Mark, body}
}

// facts are what the delivery tells, one by one.
func (d delivery) facts() map[fact]json.RawMessage {
	told := map[fact]json.RawMessage{}
	for _, a := range d.annotations {
		told[fact{strings.Replace(d.action, "ANNOTATIONS_", "ANNOTATION_", 1), a.id, a.mark}] = a.body
	}
	for _, id := range d.erased {
		told[fact{"ANNOTATION_DELETED", id, ""}] = nil
	}
	for _, id := range d.tasks {
		told[fact{singular(d.action), id, ""}] = nil
	}
	if d.row != nil {
		told[fact{d.action, d.project, ""}] = nil
	}
	return told
}
