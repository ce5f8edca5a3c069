package doctor

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/hooktail/hooktail/dispatch/hook"
)

// atOnce bounds concurrent connection attempts, and most the number of hooks, so that
// doctor ends.
const (
	atOnce = 16
	most   = 500
)

// lookAtEgress connects to each hook's receiver, and sends nothing.
func lookAtEgress(ctx context.Context, x *examination) ([]Finding, error) {
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
	var found []Finding
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
