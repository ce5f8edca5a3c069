package doctor

import (
	"context"
	"fmt"
	"slices"

	"github.com/hooktail/hooktail/dispatch/state"
)

// lookAtRedirects finds hooks whose receivers redirect. It sends nothing: the running
// hooktail knows the targets, and stored deliveries show that there are redirects.
func lookAtRedirects(ctx context.Context, x *examination) ([]Finding, error) {
	seen := map[int64]string{}
	if x.Redirects != nil {
		seen = x.Redirects(ctx)
	}
	stored, err := x.redirected(ctx)
	if err != nil {
		return nil, err
	}
	var found []Finding
	for _, h := range x.served() {
		to, known := seen[h.ID]
		switch {
		case h.IsRefused() || !known && !slices.Contains(stored, h.ID):
			continue
		case known:
			to = "to " + to
		default:
			to = "to another place"
		}
		found = append(found, one(Warning, fmt.Sprintf("the receiver of hook %d (%s) redirects %s", h.ID, h.URL.Origin(), to),
			"Redirects are not followed: its events are retried for HOOKTAIL_RETRY_FOR, and then dead.",
			fmt.Sprintf("correct the hook's URL in Label Studio (Settings → Webhooks); to see the answer: hooktail hooks ping %d", h.ID))...)
	}
	return found, nil
}

// redirected returns the hooks whose first stored delivery was last answered with a
// redirect.
func (x *examination) redirected(ctx context.Context) (hooks []int64, err error) {
	if err := state.Check(ctx, x.conn, x.Config.StateSchema); err != nil {
		return nil, nil //nolint:nilerr // said elsewhere
	}
	store := state.New(state.Options{Pool: x.pool, Schema: x.Config.StateSchema})
	backlogs, err := store.Backlogs(ctx)
	if err != nil {
		return nil, err
	}
	for _, b := range backlogs {
		if b.Parked.Rows == 0 {
			continue
		}
		rows, err := store.List(ctx, state.Filter{Hook: b.Hook, State: state.Parked, Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(rows) > 0 && rows[0].LastStatus/100 == 3 {
			hooks = append(hooks, b.Hook)
		}
	}
	return hooks, nil
}
