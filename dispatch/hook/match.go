package hook

import (
	"slices"

	"github.com/hooktail/hooktail/dispatch/filter"
	"github.com/hooktail/hooktail/mapping"
)

// Target is a hook that wants an event, and the form of its request.
type Target struct {
	Hook    int64
	Action  mapping.Action // in the hook's spelling
	Payload bool           // false: only the action
	Kept    bool           // not to be sent, only kept by the Overlap

	// Filter decides, when the event is rendered, whether the hook gets it: see Sift.
	// Nil: it does.
	Filter *filter.Filter
}

// TargetOf returns the hook's target of the event, whether or not the hook is served.
func (h *Hook) TargetOf(e *mapping.Event) (t Target, ok bool) {
	ofProject := e.Project != 0 && h.Project == e.Project && e.Action != mapping.ProjectCreated && e.Action != mapping.ProjectDeleted &&
		(e.Organization == 0 || h.Organization == e.Organization)
	ofAll := h.Project == 0 && e.Organization != 0 && h.Organization == e.Organization
	spelt, wants := h.Wants(e.Action)
	if h.unbound || !wants || !ofProject && !ofAll {
		return Target{}, false
	}
	return h.target(spelt), true
}

func (h *Hook) target(spelt mapping.Action) Target {
	return Target{Hook: h.ID, Action: spelt, Payload: h.SendPayload, Kept: !h.served, Filter: h.Choice.orEmpty().filter}
}

// Match appends to dst the hooks that want the event, in order of id: served at this
// place in the stream, in the event's organization, for its project or all projects, with
// its action chosen. The creation and deletion of a project are only for hooks without a
// project.
func (h *Set) Match(e *mapping.Event, dst []Target) []Target {
	var ofProject, ofAll []wish
	if e.Organization != 0 {
		ofAll = h.index.wishes[interest{e.Organization, 0, e.Action}]
	}
	if e.Project != 0 && e.Action != mapping.ProjectCreated && e.Action != mapping.ProjectDeleted {
		ofProject = h.index.wishes[interest{e.Organization, e.Project, e.Action}]
	}
	dst = slices.Grow(dst, len(ofProject)+len(ofAll))
	for len(ofProject) > 0 || len(ofAll) > 0 {
		var next wish
		if len(ofAll) == 0 || len(ofProject) > 0 && ofProject[0].hook.ID < ofAll[0].hook.ID {
			next, ofProject = ofProject[0], ofProject[1:]
		} else {
			next, ofAll = ofAll[0], ofAll[1:]
		}
		dst = append(dst, next.hook.target(next.action))
	}
	return dst
}

// IsWanted reports whether any hook wants the action, of any project.
func (h *Set) IsWanted(action mapping.Action) bool { return h.index.count[action] > 0 }

// Sifted is called with the effects of filters on the targets of an event.
type Sifted interface {
	// LeftOut is called for a target that does not get the event.
	LeftOut(t Target)
	// Failed is called for a target that gets the event because its filter failed. The
	// error may quote the event's body.
	Failed(t Target, err error)
}

// Sift returns the targets that get the rendered event, in order: all but those whose
// filter is false for its body. The body always includes the payload, and is decoded at
// most once. It changes the slice.
func Sift(e *mapping.Event, targets []Target, to Sifted) []Target {
	var body *filter.Body
	passed := targets[:0]
	for _, t := range targets {
		if t.Filter == nil {
			passed = append(passed, t)
			continue
		}
		if body == nil {
			members := e.Members()
			body = filter.NewBody(members[:]...)
		}
		pass, err := t.Filter.Pass(t.Action, body)
		if err != nil {
			to.Failed(t, err)
		}
		if !pass {
			to.LeftOut(t)
			continue
		}
		t.Filter = nil
		passed = append(passed, t)
	}
	clear(targets[len(passed):])
	return passed
}
