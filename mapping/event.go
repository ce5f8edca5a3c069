package mapping

import (
	"fmt"
	"time"

	"github.com/hooktail/hooktail/cdc"
)

// Action is the name of a webhook event as Label Studio spells it.
type Action string

// The seven actions of the webhooks guide, and those that only the application's
// own profile (native) has. https://labelstud.io/guide/webhooks
const (
	ProjectCreated     Action = "PROJECT_CREATED"
	ProjectUpdated     Action = "PROJECT_UPDATED"
	ProjectDeleted     Action = "PROJECT_DELETED"
	TaskCreated        Action = "TASK_CREATED" // the guide: one task
	AnnotationCreated  Action = "ANNOTATION_CREATED"
	AnnotationUpdated  Action = "ANNOTATION_UPDATED"
	AnnotationsDeleted Action = "ANNOTATIONS_DELETED"

	TasksCreated       Action = "TASKS_CREATED" // the application: a list of tasks
	TasksDeleted       Action = "TASKS_DELETED"
	AnnotationsCreated Action = "ANNOTATIONS_CREATED"
)

// ID names an event for good: the same on every attempt, restart and replay.
type ID struct {
	Timeline int32   // of the commit
	Commit   cdc.LSN // of the commit record
	Ordinal  int     // of the row change that made the event, within its transaction
}

// String is the form that is sent as webhook-id: without a dot, which
// separates the signed parts in Standard Webhooks.
func (id ID) String() string {
	return fmt.Sprintf("%d-%X-%d", id.Timeline, uint64(id.Commit), id.Ordinal)
}

// Event is one thing that happened in Label Studio: what a hook is told.
// It is made by Mapper.Events, completed by Locator.Locate and Renderer.Render,
// and read-only afterwards.
type Event struct {
	ID        ID
	Action    Action
	Committed time.Time     // by the clock of the database
	Received  time.Time     // by the own clock
	Age       time.Duration // of the commit when it was received, clocks left out

	Project      int64 // 0: not known
	Organization int64 // of the project; 0: not known. Set by Locate.
	Task         int64 // whose order the event obeys; 0: the whole project's (projects, several tasks)

	// Payload is the JSON object's members after "action", without braces:
	// `"annotation": {…}, "project": {…}, "task": {…}`. Set by Render; shared,
	// read-only.
	Payload []byte

	subject subject
}

// Bytes is about how much memory the event holds: rows and payload.
func (e *Event) Bytes() int { return e.subject.bytes() + len(e.Payload) }

// Body is the request body under the action's name as the hook spells it, and
// with the payload or without.
func (e *Event) Body(action Action, payload bool) []byte {
	body := make([]byte, 0, len(e.Payload)+len(action)+16)
	body = append(body, `{"action": "`...)
	body = append(body, action...)
	body = append(body, '"')
	if payload && len(e.Payload) > 0 {
		body = append(body, ", "...)
		body = append(body, e.Payload...)
	}
	return append(body, '}')
}
