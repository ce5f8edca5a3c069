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
	wishes map[interest][]wish    // in order of hooks
	count  map[mapping.Action]int // of wishes
}

// interest is a key of the index, and wish a hook that wants the action, with its
// spelling. So the cost of an event depends on the hooks that get it, not on all others.
//
// Project 0 is all projects of the organization. Hooks of a project are also found without
// the organization, which may be unknown.
type interest struct {
	organization, project int64
	action                mapping.Action
}

type wish struct {
	hook   *Hook
	action mapping.Action
}

func newIndex(hooks map[int64]*Hook, kept bool) index {
	x := index{wishes: make(map[interest][]wish), count: make(map[mapping.Action]int)}
	for _, hook := range sortedHooks(hooks) { // in this order, each is appended to its lists
		x.replace(nil, hook, kept)
	}
	return x
}

// replace replaces a hook in the index. Either may be nil. kept states whether the index
// includes unserved hooks that may be adopted, see isKept.
func (x *index) replace(before, after *Hook, kept bool) {
	if x.wishes == nil {
		return
	}
	now := interestsOf(after, kept)
	for at := range interestsOf(before, kept) {
		if _, still := now[at]; !still {
			x.drop(at, before.ID)
		}
	}
	for at, spelt := range now {
		x.set(at, wish{after, spelt})
	}
}

// interestsOf returns the keys of a hook with its spelling of their actions.
func interestsOf(hook *Hook, kept bool) map[interest]mapping.Action {
	if wanted := hook != nil && !hook.unbound && (hook.served || kept && hook.isKept()); !wanted {
		return nil
	}
	interests := make(map[interest]mapping.Action)
	for _, action := range slices.Concat(applications, hook.Actions, hook.Choice.texts().Added) {
		spelt, ok := hook.Wants(action)
		if !ok {
			continue
		}
		interests[interest{hook.Organization, hook.Project, action}] = spelt
		if hook.Project != 0 {
			interests[interest{0, hook.Project, action}] = spelt
		}
	}
	return interests
}

func (x *index) drop(at interest, hook int64) {
	list := x.wishes[at]
	i, found := find(list, hook)
	if !found {
		return
	}
	x.count[at.action]--
	if x.wishes[at] = slices.Delete(list, i, i+1); len(list) == 1 {
		delete(x.wishes, at)
	}
}

func (x *index) set(at interest, w wish) {
	list := x.wishes[at]
	i, found := find(list, w.hook.ID)
	if found {
		list[i] = w
		return
	}
	x.wishes[at] = slices.Insert(list, i, w)
	x.count[at.action]++
}

// find returns the position of the hook in the list, or where to insert it.
func find(list []wish, hook int64) (int, bool) {
	if n := len(list); n > 0 && list[n-1].hook.ID < hook {
		return n, false
	}
	return slices.BinarySearchFunc(list, hook, func(w wish, id int64) int { return cmp.Compare(w.hook.ID, id) })
}
