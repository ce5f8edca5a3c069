package hook

import (
	"slices"
	"time"

	"github.com/hooktail/hooktail/mapping"
)

// Hook is one row of webhook with its chosen actions. It is immutable: a change of the
// row creates a new Hook.
type Hook struct {
	ID           int64
	Organization int64
	Project      int64 // 0: all projects of the organization
	URL          URL
	Headers      Headers
	SendPayload  bool
	AllActions   bool
	Active       bool             // the application sends to it too
	Adopted      bool             // hooktail serves it even if it is not active
	Actions      []mapping.Action // chosen actions, in alphabetical order
	Choice       *Choice          // settings in addition to the row; nil: none
	CreatedAt    time.Time        // by the application's clock; zero: unknown. For display only

	Refused Refusal // other than NotRefused: hooktail cannot send to it, see Fault
	Fault   string  // what to correct, without secrets

	served   bool   // see Served
	revision uint64 // see Revision and sendsAs
	secret   uint64 // fingerprint of its stored signing secrets

	rowFault               string // error of columns other than url and headers; "": none
	unbound                bool   // one of them selects the events: it gets none
	urlFault, headersFault error  // errors of the columns as last read
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

// Revision changes whenever the row changes in a way that affects what is sent.
func (h *Hook) Revision() uint64 { return h.revision }

// IsRefused reports whether hooktail cannot send to the hook.
func (h *Hook) IsRefused() bool { return h.Refused != NotRefused }

// sendsAs reports whether both send in the same way, and the same events except those that
// a filter leaves out. Other changes, such as a name, a time, a counter or a lower rate, must
// not end a pause that the receiver asked for.
func (h *Hook) sendsAs(o *Hook) bool {
	return h.ID == o.ID && h.Organization == o.Organization && h.Project == o.Project &&
		h.URL.Equal(o.URL) && slices.Equal(h.Headers.list, o.Headers.list) &&
		h.SendPayload == o.SendPayload && h.AllActions == o.AllActions && slices.Equal(h.Actions, o.Actions) &&
		h.Active == o.Active && h.Adopted == o.Adopted && h.secret == o.secret && h.Choice.sendsAs(o.Choice) &&
		h.Refused == o.Refused && h.Fault == o.Fault
}

// Wants reports whether the hook has chosen the action, and its spelling. It does not
// check whether the hook is active or belongs to the event's project. "All actions" means
// those of the application; others, such as custom ones, must be listed.
func (h *Hook) Wants(action mapping.Action) (mapping.Action, bool) {
	other, removed := spellings[action], h.Choice.texts().Removed
	switch {
	case slices.Contains(removed, action) || other != "" && slices.Contains(removed, other):
		return "", false
	case h.AllActions && (action == taskDeleted || slices.Contains(applications, action)) || h.lists(action):
		return action, true
	case other != "" && h.lists(other):
		return other, true
	}
	return "", false
}

// lists reports whether the action is chosen by name.
func (h *Hook) lists(action mapping.Action) bool {
	return slices.Contains(h.Actions, action) || slices.Contains(h.Choice.texts().Added, action)
}

// applications are the actions of Label Studio and its guide.
var applications = slices.Concat(mapping.Guide.Actions(), mapping.Native.Actions())

// taskDeleted is the guide's spelling of mapping.TasksDeleted.
const taskDeleted mapping.Action = "TASK_DELETED"

// spellings are synonyms: the guide and the application spell the actions of tasks
// differently.
var spellings = map[mapping.Action]mapping.Action{
	mapping.TaskCreated: mapping.TasksCreated, mapping.TasksCreated: mapping.TaskCreated,
	mapping.TasksDeleted: taskDeleted, taskDeleted: mapping.TasksDeleted,
}

// Deliver selects the hooks to serve. A hook is active if the application also sends to
// it, and adopted if hooktail has taken it over, so that the application does not.
type Deliver string

// Values of Deliver.
const (
	DeliverBoth    Deliver = "both"    // active or adopted; also the meaning of the zero value
	DeliverActive  Deliver = "active"  // active, adopted or not
	DeliverAdopted Deliver = "adopted" // adopted, active or not
)

// serves reports whether the hook gets events committed from now on.
func (d Deliver) serves(h *Hook) bool {
	switch d {
	case DeliverActive:
		return h.Active
	case DeliverAdopted:
		return h.Adopted
	default:
		return h.Active || h.Adopted
	}
}

// Served reports whether the hook gets the events that are committed from now on.
func (h *Hook) Served() bool { return h.served }

// IsOn reports whether the hook is served by hooktail or the application. If so, accepted
// deliveries are still sent, even if the application serves it now.
func (h *Hook) IsOn() bool { return h.Active || h.Adopted }

// isKept reports whether events of an unserved hook are kept for a later adoption.
func (h *Hook) isKept() bool { return h.Active && !h.Adopted && !h.IsRefused() }

// Refusal is the reason why hooktail cannot send to a hook. Its String is stable: it is
// logged, counted and stored.
type Refusal uint8

// Refusals.
const (
	NotRefused Refusal = iota
	BadURL             // the hook's url cannot be used
	BadHeaders         // the hook's headers cannot be used
	BadRow             // the hook's row cannot be read
)

var refusals = [...]struct{ label, remedy string }{
	NotRefused: {label: "none"},
	BadURL:     {"bad_url", "correct the hook's url"},
	BadHeaders: {"bad_headers", "correct the hook's headers"},
	BadRow:     {"bad_row", "correct the row, or delete it"},
}

// String returns the refusal as a metric label.
func (r Refusal) String() string { return refusals[r].label }

// Remedy says what a person must do about it.
func (r Refusal) Remedy() string { return refusals[r].remedy }
