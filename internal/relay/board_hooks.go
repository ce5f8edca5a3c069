package relay

import (
	"slices"

	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/internal/status"
)

// choose returns the hooks that match the query, and counts all of them. The cost of an
// open page depends on what it shows, not on all hooks.
func choose(all []dispatch.Overview, q status.Query) ([]dispatch.Overview, *status.Tally) {
	brief := make([]*status.Hook, len(all))
	at := make(map[*status.Hook]int, len(all))
	for i := range all {
		h := briefly(&all[i])
		brief[i], at[&h] = &h, i
	}
	tally := status.TallyOf(brief)
	var asked *status.Hook
	wanted := make([]*status.Hook, 0, len(brief))
	for i, h := range brief {
		if h.ID == q.Hook {
			asked = h
		}
		if q.Payloads {
			h.URL = all[i].Hook.URL.Whole()
		}
		if q.Find == "" || h.Found(q.Find) {
			wanted = append(wanted, h)
		}
	}
	tally.Found = len(wanted)
	if q.Hooks > 0 {
		slices.SortFunc(wanted, status.ByNeed)
		wanted = wanted[:min(q.Hooks, len(wanted))]
	}
	if asked != nil && !slices.Contains(wanted, asked) {
		wanted = append(wanted, asked)
	}
	chosen := make([]dispatch.Overview, len(wanted))
	for i, h := range wanted {
		chosen[i] = all[at[h]]
	}
	return chosen, tally
}

// briefly returns the hook with its state and its stored deliveries.
func briefly(o *dispatch.Overview) status.Hook {
	h := HookRow(o.Hook)
	h.State, h.Parked, h.Dead, h.Retrying = o.State.String(), int64(o.Parked), int64(o.Dead), o.Retrying
	return h
}
