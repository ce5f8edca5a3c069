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
	served map[scope][]*Hook // in order of id
}

// scope is what a hook is for: one project, or every project of an
// organization. Hooks of a project are found without its organization as well,
// which may be unknown.
type scope struct{ organization, project int64 }

func newIndex(hooks map[int64]*Hook) *index {
	x := &index{byID: maps.Clone(hooks), served: make(map[scope][]*Hook)}
	x.all = slices.SortedFunc(maps.Values(hooks), func(a, b *Hook) int { return cmp.Compare(a.ID, b.ID) })
	for _, hook := range x.all {
		if !hook.served {
			continue
		}
		own := scope{hook.Organization, hook.Project}
		x.served[own] = append(x.served[own], hook)
		if hook.Project != 0 {
			anyone := scope{0, hook.Project}
			x.served[anyone] = append(x.served[anyone], hook)
		}
	}
	return x
}

// Match appends to dst the hooks that want the event, in order of id: served at
// this place in the stream, of the event's organization, for its project or for
// all, with its action chosen. A project's creation and deletion are for hooks
// without project alone. A hook that was loaded as it was later than the event
// is left out if it was created after the event's commit.
func (h *Hooks) Match(e *mapping.Event, dst []Target) []Target {
	x := h.current.Load()
	var ofProject, ofAll []*Hook
	if e.Organization != 0 {
		ofAll = x.served[scope{e.Organization, 0}]
	}
	if e.Project != 0 && e.Action != mapping.ProjectCreated && e.Action != mapping.ProjectDeleted {
		ofProject = x.served[scope{e.Organization, e.Project}]
	}
	for len(ofProject) > 0 || len(ofAll) > 0 {
		var hook *Hook
		if len(ofAll) == 0 || len(ofProject) > 0 && ofProject[0].ID < ofAll[0].ID {
			hook, ofProject = ofProject[0], ofProject[1:]
		} else {
			hook, ofAll = ofAll[0], ofAll[1:]
		}
		if action, ok := hook.wants(e.Action); ok && !hook.since.After(e.Committed) {
			dst = append(dst, Target{Hook: hook.ID, Action: action, Payload: hook.SendPayload})
		}
	}
	return dst
}
