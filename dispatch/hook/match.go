package hook

import (
	"github.com/hooktail/hooktail/mapping"
)

// Target is a hook that wants an event, and the form of its request.
type Target struct {
	Hook    int64
	Action  mapping.Action // in the hook's spelling
	Payload bool           // false: only the action
	Kept    bool           // not to be sent, only kept by the Overlap
}

// Match appends to dst the hooks that want the event, in order of id: served at this
// place in the stream, in the event's organization, for its project or all projects, with
// its action chosen. The creation and deletion of a project are only for hooks without a
// project.
func (h *Set) Match(e *mapping.Event, dst []Target) []Target {
	var ofProject, ofAll []wish
	if e.Organization != 0 {
		ofAll = h.index.wishes[interest{scope{e.Organization, 0}, e.Action}]
	}
	if e.Project != 0 && e.Action != mapping.ProjectCreated && e.Action != mapping.ProjectDeleted {
		ofProject = h.index.wishes[interest{scope{e.Organization, e.Project}, e.Action}]
	}
	for len(ofProject) > 0 || len(ofAll) > 0 {
		var next wish
		if len(ofAll) == 0 || len(ofProject) > 0 && ofProject[0].hook.ID < ofAll[0].hook.ID {
			next, ofProject = ofProject[0], ofProject[1:]
		} else {
			next, ofAll = ofAll[0], ofAll[1:]
		}
		dst = append(dst, Target{Hook: next.hook.ID, Action: next.action, Payload: next.hook.SendPayload, Kept: !next.hook.served})
	}
	return dst
}
