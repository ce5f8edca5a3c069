package relay

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/hook"
)

// doubleSender warns about hooks that Label Studio may send to as well. One goroutine
// calls look.
type doubleSender struct {
	hooks  *hook.Set
	pool   *pgxpool.Pool
	log    *slog.Logger
	warned map[int64]bool
}

// NotSenders lists the names of programs that are known not to be Label Studio, which
// sets no name. psql sets one, and a person at psql sends no webhooks.
func NotSenders() []string { return []string{"hooktail", "psql"} }

// look warns once about each hook that hooktail serves and that is active in the
// application, if another program is connected that may be the application. It warns
// again about a hook that was adopted or deactivated and is active again.
func (d *doubleSender) look(ctx context.Context) error {
	var doubled []int64
	for _, hook := range d.hooks.All() {
		switch {
		case !hook.Active || !hook.Served() || hook.IsRefused():
			delete(d.warned, hook.ID)
		case !d.warned[hook.ID]:
			doubled = append(doubled, hook.ID)
		}
	}
	if len(doubled) == 0 {
		return nil
	}
	sessions, err := cdc.OtherSessions(ctx, d.pool, NotSenders()...)
	if err != nil {
		return err
	}
	if sessions == 0 {
		return nil
	}
	for _, hook := range doubled {
		d.warned[hook] = true
		d.log.Warn("Webhook is active in Label Studio too: if Label Studio is running on this database, the receiver gets every event twice",
			"hook", hook, "other_sessions", sessions, "remedy", fmt.Sprintf("hooktail hooks adopt %d", hook))
	}
	return nil
}
