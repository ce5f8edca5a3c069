package relay

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/hook"
)

// doubleSender warns of hooks that Label Studio may send to as well. One goroutine
// calls look.
type doubleSender struct {
	hooks  *hook.Set
	pool   *pgxpool.Pool
	log    *slog.Logger
	warned map[int64]bool
}

// NotSenders are the programs that are known not to be a Label Studio, which gives
// itself no name. psql has one, and whoever sits at it is no sender.
func NotSenders() []string { return []string{"hooktail", "psql"} }

// look warns once of each hook that is served by hooktail and active for the
// application, if another program is connected that may be the application. A hook
// that is adopted or switched off, and later active again, is warned of again.
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
		d.log.Warn("Webhook is active in Label Studio too: if one is running on this database, the receiver gets every event from both",
			"hook", hook, "other_sessions", sessions, "remedy", fmt.Sprintf("hooktail hooks adopt %d", hook))
	}
	return nil
}
