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
	of := make(map[*status.Hook]*dispatch.Overview, len(all))
	for i := range all {
		h := briefly(&all[i])
		brief[i], of[&h] = &h, &all[i]
	}
	tally := status.TallyOf(brief)
	if q.Payloads {
		for h, o := range of {
			h.URL = o.Hook.URL.Whole()
		}
	}
	wanted := slices.DeleteFunc(slices.Clone(brief), func(h *status.Hook) bool { return q.Find != "" && !h.Found(q.Find) })
	tally.Found = len(wanted)
	if q.Hooks > 0 {
		slices.SortFunc(wanted, status.ByNeed)
		wanted = wanted[:min(q.Hooks, len(wanted))]
	}
	isAsked := func(h *status.Hook) bool { return h.ID == q.Hook }
	if i := slices.IndexFunc(brief, isAsked); i >= 0 && !slices.Contains(wanted, brief[i]) {
		wanted = append(wanted, brief[i])
	}
	chosen := make([]dispatch.Overview, len(wanted))
	for i, h := range wanted {
		chosen[i] = *of[h]
	}
	return chosen, tally
}

// briefly returns the hook with its state and its stored deliveries.
func briefly(o *dispatch.Overview) status.Hook {
	h := HookRow(o.Hook)
	h.State, h.Parked, h.Dead, h.Retrying = o.State.String(), int64(o.Parked), int64(o.Dead), o.Retrying
	return h
}
