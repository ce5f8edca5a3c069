package hook

import (
	"cmp"
	"slices"

	"github.com/hooktail/hooktail/mapping"
)

// index finds the hooks that may want an event by its organization, project and action.
// Its cost does not grow with the number of hooks, neither for a look-up nor for a change
// of a hook.
//
// The zero index has no hooks and accepts none.
type index struct {
	actions []mapping.Action // actions of the application, in alphabetical order
	wishes  map[interest][]wish
	count   map[mapping.Action]int // of wishes
}

// interest is a key of the index, and wish a hook that wants the action, with its
// spelling. So the cost of an event depends on the hooks that get it, not on all others.
type interest struct {
	scope
	action mapping.Action
}

type wish struct {
	hook   *Hook
	action mapping.Action
}

// scope is the scope of a hook: one project, or all projects of an organization. Hooks of
// a project are also found without the organization, which may be unknown.
type scope struct{ organization, project int64 }

// newIndex returns the index of these hooks.
func newIndex(hooks map[int64]*Hook, kept bool) index {
	actions := slices.Concat(mapping.Guide.Actions(), mapping.Native.Actions())
	slices.Sort(actions)
	x := index{actions: slices.Compact(actions), wishes: make(map[interest][]wish), count: make(map[mapping.Action]int)}
	for _, hook := range sortedHooks(hooks) { // in this order, each is appended to its lists
		x.replace(nil, hook, kept)
	}
	return x
}

// replace replaces a hook in the index. Either may be nil. kept states whether the index
// includes unserved hooks that may be adopted, see isKept.
func (x *index) replace(before, after *Hook, kept bool) {
	for _, action := range x.actions {
		x.move(action, before, after, kept)
	}
	if x.wishes == nil {
		return
	}
	for _, action := range x.others(before) {
		x.move(action, before, after, kept)
	}
	for _, action := range x.others(after) {
		x.move(action, before, after, kept)
	}
}

// move replaces the hook in its lists for the action.
func (x *index) move(action mapping.Action, before, after *Hook, kept bool) {
	from, _ := placeOf(before, action, kept)
	to, spelt := placeOf(after, action, kept)
	if from != to {
		x.drop(from, before)
	}
	x.set(to, after, spelt)
}

// others returns the listed actions that the application does not have.
func (x *index) others(hook *Hook) (actions []mapping.Action) {
	if hook == nil {
		return nil
	}
	lists := [...][]mapping.Action{hook.Actions, hook.Choice.texts().Added}
	for _, list := range lists {
		for _, action := range list {
			if _, known := slices.BinarySearch(x.actions, action); !known {
				actions = append(actions, action)
			}
		}
	}
	return actions
}

// places are the keys of a hook for an action: none, one, or two if it belongs to a
// project.
type places [2]interest

func placeOf(hook *Hook, action mapping.Action, kept bool) (places, mapping.Action) {
	if wanted := hook != nil && !hook.unbound && (hook.served || kept && hook.isKept()); !wanted {
		return places{}, ""
	}
	spelt, ok := hook.Wants(action)
	switch {
	case !ok:
		return places{}, ""
	case hook.Project == 0:
		return places{{scope{hook.Organization, 0}, action}}, spelt
	default:
		return places{{scope{hook.Organization, hook.Project}, action}, {scope{0, hook.Project}, action}}, spelt
	}
}

func (x *index) drop(from places, hook *Hook) {
	for _, place := range from {
		if place.action == "" {
			continue
		}
		list := x.wishes[place]
		i, found := find(list, hook.ID)
		if !found {
			continue
		}
		x.count[place.action]--
		if len(list) == 1 {
			delete(x.wishes, place)
		} else {
			x.wishes[place] = slices.Delete(list, i, i+1)
		}
	}
}

func (x *index) set(to places, hook *Hook, spelt mapping.Action) {
	for _, place := range to {
		if place.action == "" {
			continue
		}
		list := x.wishes[place]
		i, found := find(list, hook.ID)
		if found {
			list[i] = wish{hook, spelt}
			continue
		}
		x.wishes[place] = slices.Insert(list, i, wish{hook, spelt})
		x.count[place.action]++
	}
}

// find returns the position of the hook in the list, or where to insert it.
func find(list []wish, hook int64) (int, bool) {
	if n := len(list); n > 0 && list[n-1].hook.ID < hook {
		return n, false
	}
	return slices.BinarySearchFunc(list, hook, func(w wish, id int64) int { return cmp.Compare(w.hook.ID, id) })
}
