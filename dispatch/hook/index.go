package hook

import (
	"cmp"
	"slices"

	"github.com/hooktail/hooktail/mapping"
)

// index finds who may want an event by its organization, project and action, however
// many hooks there are. A hook that changes is replaced in its places: the cost of a
// change does not grow with the number of the others.
//
// The zero index has no hooks, and takes none.
type index struct {
	actions []mapping.Action // of the application, in alphabetical order
	wishes  map[interest][]wish
	count   map[mapping.Action]int // of wishes
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

// newIndex is the index of these hooks.
func newIndex(hooks map[int64]*Hook, kept bool) index {
	actions := slices.Concat(mapping.Guide.Actions(), mapping.Native.Actions())
	slices.Sort(actions)
	x := index{actions: slices.Compact(actions), wishes: make(map[interest][]wish), count: make(map[mapping.Action]int)}
	for _, hook := range sortedHooks(hooks) { // each goes to the end of its places
		x.replace(nil, hook, kept)
	}
	return x
}

// replace puts the hook in the places of the one before. Either may be nil. kept is
// whether the index has hooks that are not served but may be, see isKept.
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

// move replaces the hook in its places for the action.
func (x *index) move(action mapping.Action, before, after *Hook, kept bool) {
	from, _ := placeOf(before, action, kept)
	to, spelt := placeOf(after, action, kept)
	if from != to {
		x.drop(from, before)
	}
	x.set(to, after, spelt)
}

// others are the actions that the hook lists and the application does not have.
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

// places are the interests that a hook has in an action: none, one, or two if it is of a
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

// find is where the hook is in the list, or belongs.
func find(list []wish, hook int64) (int, bool) {
	if n := len(list); n > 0 && list[n-1].hook.ID < hook {
		return n, false
	}
	return slices.BinarySearchFunc(list, hook, func(w wish, id int64) int { return cmp.Compare(w.hook.ID, id) })
}
