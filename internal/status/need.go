package status

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Need is how urgently a hook needs attention: smaller is more urgent.
type Need int

// Needs of a hook.
const (
	NeedBroken  Need = iota // failing, stopped, refused or suspended
	NeedDead                // has dead deliveries
	NeedHeld                // waiting or paused
	NeedBehind              // has parked deliveries, or some that are retried
	NeedNothing             // in order
	NeedAction              // live, but without an action
	NeedNobody              // inactive
)

// Need returns how urgently the hook needs attention, by its state, actions, and
// deliveries.
func (h *Hook) Need() Need {
	switch {
	case slices.Contains(broken, h.State):
		return NeedBroken
	case h.Dead > 0:
		return NeedDead
	case h.State == "waiting" || h.State == "paused":
		return NeedHeld
	case h.State == inactive:
		return NeedNobody
	case h.Parked > 0 || h.Retrying > 0:
		return NeedBehind
	case h.State == live && !h.AllActions && len(h.listed()) == 0:
		return NeedAction
	default:
		return NeedNothing
	}
}

// States that are counted separately.
const (
	live     = "live"
	inactive = "inactive"
)

// broken are the states that need attention.
var broken = []string{"failing", "stopped", "refused", "suspended"}

// ByNeed orders two hooks by need, and then by id.
func ByNeed(a, b *Hook) int {
	return cmp.Or(cmp.Compare(a.Need(), b.Need()), cmp.Compare(a.ID, b.ID))
}

// Found reports whether a search for the text finds the hook: by its id or project if the
// text is a number, otherwise by a part of its URL, of an action or of its state,
// ignoring case. It only searches what the hook shows.
func (h *Hook) Found(text string) bool {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n == h.ID || n == h.Project
	}
	text = strings.ToLower(text)
	has := func(s string) bool { return strings.Contains(strings.ToLower(s), text) }
	return has(h.URL) || has(h.State) || slices.ContainsFunc(h.listed(), has)
}

// listed returns the hook's actions that are listed by name.
func (h *Hook) listed() []string {
	return slices.DeleteFunc(slices.Concat(h.Actions, h.Added), func(action string) bool { return slices.Contains(h.Removed, action) })
}

// Tally counts all hooks, of which a Report may list a part.
type Tally struct {
	Hooks         int       `json:"hooks"`
	Served        int       `json:"served"`        // not inactive
	Behind        int       `json:"behind"`        // of the served hooks: neither broken nor without parked deliveries
	Organizations int       `json:"organizations"` // of the hooks
	Parked        int64     `json:"parked"`        // deliveries
	Dead          int64     `json:"dead"`          // deliveries
	Broken        []Ailment `json:"broken"`        // in order of the first id
	Found         int       `json:"found"`         // hooks that match the query; hooks contains the first of them
}

// Ailment is the hooks in a state that needs attention.
type Ailment struct {
	State string  `json:"state"`
	Hooks int     `json:"hooks"`
	First []int64 `json:"first"` // ids of at most six of them
}

// named is the number of an Ailment's hooks listed by id.
const named = 6

// TallyOf counts hooks given in order of id.
func TallyOf(hooks []*Hook) *Tally {
	t := &Tally{Hooks: len(hooks), Broken: []Ailment{}}
	organizations := map[int64]bool{}
	for _, h := range hooks {
		organizations[h.Organization] = true
		t.Parked += h.Parked
		t.Dead += h.Dead
		if h.State != inactive {
			t.Served++
		}
		switch {
		case slices.Contains(broken, h.State):
			t.ails(h)
		case h.State != inactive && h.Parked > 0:
			t.Behind++
		}
	}
	t.Organizations = len(organizations)
	return t
}

func (t *Tally) ails(h *Hook) {
	i := slices.IndexFunc(t.Broken, func(a Ailment) bool { return a.State == h.State })
	if i < 0 {
		i = len(t.Broken)
		t.Broken = append(t.Broken, Ailment{State: h.State})
	}
	a := &t.Broken[i]
	if a.Hooks++; a.Hooks <= named {
		a.First = append(a.First, h.ID)
	}
}
