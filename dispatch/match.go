package dispatch

import (
	"cmp"
	"maps"
	"slices"

	"github.com/hooktail/hooktail/mapping"
)

// Target is a hook that wants an event, and the form in which it wants it.
type Target struct {
	Hook    int64
	Action  mapping.Action // as the hook spells it
	Payload bool           // false: the action alone
}

// index is an immutable view of all hooks: who may want an event is found by its
// organization and project, however many hooks there are.
type index struct {
	byID   map[int64]*Hook
	all    []*Hook
	served map[interest][]wish // in order of id
}

// interest is what is asked of the index, and wish who has it: a hook that wants
// the action, under its own spelling. So an event costs as much as the hooks that
// get it, however many there are that want something else.
type interest struct {
	scope
	action mapping.Action
}

type wish struct {
	hook   *Hook
	action mapping.Action
}

// scope is what a hook is for: one project, or every project of an
// organization. Hooks of a project are found without its organization as well,
// which may be unknown.
type scope struct{ organization, project int64 }

func newIndex(hooks map[int64]*Hook) *index {
	x := &index{byID: maps.Clone(hooks), served: make(map[interest][]wish)}
	actions := slices.Concat(mapping.Guide.Actions(), mapping.Native.Actions())
	slices.Sort(actions)
	actions = slices.Compact(actions)
	x.all = slices.SortedFunc(maps.Values(hooks), func(a, b *Hook) int { return cmp.Compare(a.ID, b.ID) })
	for _, hook := range x.all {
		if !hook.served {
			continue
		}
		for _, action := range actions {
			if spelt, ok := hook.wants(action); ok {
				x.serve(scope{hook.Organization, hook.Project}, action, wish{hook, spelt})
			}
		}
	}
	return x
}

func (x *index) serve(own scope, action mapping.Action, w wish) {
	x.served[interest{own, action}] = append(x.served[interest{own, action}], w)
	if own.project != 0 {
		anyone := interest{scope{0, own.project}, action}
		x.served[anyone] = append(x.served[anyone], w)
	}
}

// Match appends to dst the hooks that want the event, in order of id: served at
// this place in the stream, of the event's organization, for its project or for
// all, with its action chosen. A project's creation and deletion are for hooks
// without project alone. A hook that was loaded as it was later than the event
// is left out if it was created after the event's commit. Clocks decide that only
// for events from before the load: they may be set back.
func (h *Hooks) Match(e *mapping.Event, dst []Target) []Target {
	x := h.current.Load()
	var ofProject, ofAll []wish
	if e.Organization != 0 {
		ofAll = x.served[interest{scope{e.Organization, 0}, e.Action}]
	}
	if e.Project != 0 && e.Action != mapping.ProjectCreated && e.Action != mapping.ProjectDeleted {
		ofProject = x.served[interest{scope{e.Organization, e.Project}, e.Action}]
	}
	for len(ofProject) > 0 || len(ofAll) > 0 {
		var next wish
		if len(ofAll) == 0 || len(ofProject) > 0 && ofProject[0].hook.ID < ofAll[0].hook.ID {
			next, ofProject = ofProject[0], ofProject[1:]
		} else {
			next, ofAll = ofAll[0], ofAll[1:]
		}
		if hook := next.hook; uint64(e.ID.Commit) >= h.end || !hook.since.After(e.Committed) {
			dst = append(dst, Target{Hook: hook.ID, Action: next.action, Payload: hook.SendPayload})
		}
	}
	return dst
}
