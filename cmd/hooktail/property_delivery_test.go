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

	annotations []json.RawMessage // created or updated
	erased      []int64           // annotations
	tasks       []int64           // created or deleted
	row         json.RawMessage   // of the project, if the event is about it
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
	type element struct{ ID int64 }
	var body struct {
		Annotation  json.RawMessage
		Annotations []element
		Tasks       []element
		Project     json.RawMessage
	}
	var project element
	if err := json.Unmarshal(r.Body, &body); err != nil {
		return d, fmt.Errorf("parse the body of event %s: %w", d.id, err)
	}
	if d.payload = body.Project != nil; !d.payload {
		return d, nil
	}
	if err := json.Unmarshal(body.Project, &project); err != nil {
		return d, fmt.Errorf("parse the project of event %s: %w", d.id, err)
	}
	d.project = project.ID
	switch {
	case strings.HasPrefix(string(body.Annotation), "["):
		if err := json.Unmarshal(body.Annotation, &d.annotations); err != nil {
			return d, fmt.Errorf("parse the annotations of event %s: %w", d.id, err)
		}
	case body.Annotation != nil:
		d.annotations = []json.RawMessage{body.Annotation}
	}
	for _, e := range body.Annotations {
		d.erased = append(d.erased, e.ID)
	}
	for _, e := range body.Tasks {
		d.tasks = append(d.tasks, e.ID)
	}
	if strings.HasPrefix(d.action, "PROJECT_") {
		d.row = body.Project
	}
	return d, nil
}

// annotationBody is what the checks need of an annotation.
type annotationBody struct{ ID, Task, Project int64 }

func annotationOf(body json.RawMessage) annotationBody {
	var a annotationBody
	if err := json.Unmarshal(body, &a); err != nil {
		return annotationBody{} // and no fact is found for it
	}
	return a
}

// facts are what the delivery tells, one by one.
func (d delivery) facts() map[fact]json.RawMessage {
	told := map[fact]json.RawMessage{}
	for _, a := range d.annotations {
		told[fact{strings.Replace(d.action, "ANNOTATIONS_", "ANNOTATION_", 1), annotationOf(a).ID, markOf(a)}] = a
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
