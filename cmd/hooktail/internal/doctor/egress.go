package doctor

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
)

// atOnce bounds concurrent connection attempts, and most the number of hooks, so that
// doctor ends.
const (
	atOnce = 16
	most   = 500
)

// lookAtEgress connects to each hook's receiver, and sends nothing.
func lookAtEgress(ctx context.Context, x *examination) (found []Finding, _ error) {
	hooks := slices.DeleteFunc(x.served(), (*hook.Hook).IsRefused)
	all := len(hooks)
	hooks = hooks[:min(all, most)]
	errs := make([]error, len(hooks))
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i, h := range hooks {
		slots <- struct{}{}
		wg.Go(func() {
			errs[i] = x.Sender.Reach(ctx, h)
			<-slots
		})
	}
	wg.Wait()
	// An unreachable receiver is one finding, however many hooks use it.
	var reasons []string
	away := make(map[string][]string)
	for i, h := range hooks {
		if errs[i] == nil {
			continue
		}
		reason := fmt.Sprintf("%s: %v", h.URL.Origin(), errs[i])
		if away[reason] == nil {
			reasons = append(reasons, reason)
		}
		away[reason] = append(away[reason], strconv.FormatInt(h.ID, 10))
	}
	for _, reason := range reasons {
		found = append(found, one(Warning, fmt.Sprintf("%s cannot reach %s", hooksOf(away[reason]), reason),
			"Failed deliveries are parked and retried for HOOKTAIL_RETRY_FOR; deliveries to a forbidden address are dead immediately.",
			"make the receiver reachable from this machine, within HOOKTAIL_TIMEOUT and HOOKTAIL_EGRESS; then: hooktail hooks ping "+away[reason][0])...)
	}
	if all > most {
		found = append(found, one(Note, fmt.Sprintf("only the first %d of %d hooks were checked", most, all), "The others may be unreachable.", "hooktail hooks ping ID")...)
	}
	return found, nil
}

// lookAtRedirects finds hooks whose receivers redirect. It sends nothing: the running
// hooktail knows the targets, and stored deliveries show that there are redirects.
func lookAtRedirects(ctx context.Context, x *examination) (found []Finding, _ error) {
	seen := map[int64]string{}
	if x.Redirects != nil {
		seen = x.Redirects(ctx)
	}
	stored, err := x.redirected(ctx)
	if err != nil {
		return nil, err
	}
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
