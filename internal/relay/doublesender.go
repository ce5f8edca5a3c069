package relay

import (
	"context"
	"fmt"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/hook"
)

// NotSenders lists the names of programs that are known not to be Label Studio, which
// sets no name. psql sets one, and a person at psql sends no webhooks.
func NotSenders() []string { return []string{"hooktail", "psql"} }

// warnDoubled warns once about each hook that hooktail serves and that is active in the
// application, if another program is connected that may be the application. It warns
// again about a hook that was adopted or deactivated and is active again.
func (p *parkingRoom) warnDoubled(ctx context.Context, hooks *hook.Set) error {
	var doubled []int64
	for _, hook := range hooks.All() {
		switch {
		case !hook.Active || !hook.Served() || hook.IsRefused():
			delete(p.doubled, hook.ID)
		case !p.doubled[hook.ID]:
			doubled = append(doubled, hook.ID)
		}
	}
	if len(doubled) == 0 {
		return nil
	}
	sessions, err := cdc.OtherSessions(ctx, p.Pool, NotSenders()...)
	if err != nil || sessions == 0 {
		return err
	}
	for _, hook := range doubled {
		p.doubled[hook] = true
		p.Log.Warn("Webhook is active in Label Studio too: if Label Studio is running on this database, the receiver gets every event twice",
			"hook", hook, "other_sessions", sessions, "remedy", fmt.Sprintf("hooktail hooks adopt %d", hook))
	}
	return nil
}
