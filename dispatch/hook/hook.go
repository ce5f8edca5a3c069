package hook

import (
	"slices"
	"time"

	"github.com/hooktail/hooktail/mapping"
)

// Hook is one row of webhook with the actions that it chose. It is immutable:
// a row that changes becomes another Hook.
type Hook struct {
	ID           int64
	Organization int64
	Project      int64 // 0: every project of the organization
	URL          URL
	Headers      Headers
	SendPayload  bool
	AllActions   bool
	Active       bool             // the application sends to it as well
	Adopted      bool             // hooktail serves it although it need not be active
	Actions      []mapping.Action // chosen, in alphabetical order
	Choice       *Choice          // what people chose for it beyond the row; nil: nothing
	CreatedAt    time.Time        // by the clock of the application; zero: not known. It is shown, and decides nothing

	Refused Refusal // other than NotRefused: nothing can be sent, see Fault
	Fault   string  // what has to be mended, without secrets

	served   bool   // see Served
	revision uint64 // see Revision and sendsAs
	secret   uint64 // fingerprint of its signing secrets, as they are stored

	rowFault               string // of the columns that are neither url nor headers; "": none
	unbound                bool   // one of them says which events it wants: it gets none
	urlFault, headersFault error  // of the columns as they were last read
}

// judge refuses the hook if its row cannot be read or used.
func (h *Hook) judge() {
	h.Refused, h.Fault = NotRefused, ""
	switch {
	case h.rowFault != "":
		h.Refused, h.Fault = BadRow, h.rowFault
	case h.urlFault != nil:
		h.Refused, h.Fault = BadURL, h.urlFault.Error()
	case h.headersFault != nil:
		h.Refused, h.Fault = BadHeaders, h.headersFault.Error()
	default:
		if _, err := ParseFormat(string(h.Format())); err != nil {
			h.Refused, h.Fault = BadRow, err.Error()
		}
	}
}

// Revision is another one after each change of the row that decides what is sent.
func (h *Hook) Revision() uint64 { return h.revision }

// IsRefused reports whether nothing can be sent to the hook.
func (h *Hook) IsRefused() bool { return h.Refused != NotRefused }

// sendsAs reports whether both get the same events and send them in the same way. What
// else an application writes into the row, as a name, a time or a counter, is no reason
// to ask a receiver again that has asked for a pause.
func (h *Hook) sendsAs(o *Hook) bool {
	return h.ID == o.ID && h.Organization == o.Organization && h.Project == o.Project &&
		h.URL.same(o.URL) && slices.Equal(h.Headers.list, o.Headers.list) &&
		h.SendPayload == o.SendPayload && h.AllActions == o.AllActions && slices.Equal(h.Actions, o.Actions) &&
		h.Active == o.Active && h.Adopted == o.Adopted && h.secret == o.secret && h.Choice.equal(o.Choice) &&
		h.Refused == o.Refused && h.Fault == o.Fault
}

// Wants reports whether the hook chose the action, and under which spelling. It
// does not ask whether the hook is active or of the event's project. All actions are those
// of the application: others, as custom ones, are for hooks that list them.
func (h *Hook) Wants(action mapping.Action) (mapping.Action, bool) {
	other := otherSpelling(action)
	switch {
	case h.Choice.removes(action) || other != "" && h.Choice.removes(other):
		return "", false
	case h.AllActions && isApplications(action) || h.lists(action):
		return action, true
	case other != "" && h.lists(other):
		return other, true
	}
	return "", false
}

// lists reports whether the action was chosen by its name.
func (h *Hook) lists(action mapping.Action) bool {
	return slices.Contains(h.Actions, action) || h.Choice.adds(action)
}

// isApplications reports whether Label Studio or its guide has an event of that name.
func isApplications(action mapping.Action) bool {
	switch action {
	case mapping.ProjectCreated, mapping.ProjectUpdated, mapping.ProjectDeleted,
		mapping.TaskCreated, mapping.TasksCreated, mapping.TasksDeleted, taskDeleted,
		mapping.AnnotationCreated, mapping.AnnotationsCreated, mapping.AnnotationUpdated, mapping.AnnotationsDeleted:
		return true
	default:
		return false
	}
}

// taskDeleted is the guide's spelling of mapping.TasksDeleted.
const taskDeleted mapping.Action = "TASK_DELETED"

// otherSpelling is the name that means the same: the guide and the application
// differ in those of tasks.
func otherSpelling(action mapping.Action) mapping.Action {
	switch action {
	case mapping.TaskCreated:
		return mapping.TasksCreated
	case mapping.TasksCreated:
		return mapping.TaskCreated
	case mapping.TasksDeleted:
		return taskDeleted
	case taskDeleted:
		return mapping.TasksDeleted
	default:
		return ""
	}
}
