package doctor

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"github.com/hooktail/hooktail/dispatch/hook"
)

// atOnce bounds the connections that are tried at a time, and most how many hooks
// are: doctor is to end.
const (
	atOnce = 16
	most   = 500
)

// lookAtEgress goes the way of each hook's requests, and sends none.
func lookAtEgress(ctx context.Context, x *examination) ([]Finding, error) {
	var hooks []*hook.Hook
	for _, h := range x.served() {
		if !h.IsRefused() {
			hooks = append(hooks, h)
		}
	}
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
	// One receiver that is away is one finding, however many hooks point to it.
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
		found = append(found, one(Warning, fmt.Sprintf("hooks %s cannot reach %s", some(away[reason]), reason),
			"What cannot be delivered now is parked and tried again for HOOKTAIL_RETRY_FOR; what goes to a forbidden address is dead at once.",
			"let the receiver be reached from this machine, within HOOKTAIL_TIMEOUT and HOOKTAIL_EGRESS; then: hooktail hooks ping "+away[reason][0])...)
	}
	if all > most {
		found = append(found, one(Note, fmt.Sprintf("only the first %d of %d hooks were tried", most, all), "The others may not be reached.", "hooktail hooks ping ID")...)
	}
	return found, nil
}
