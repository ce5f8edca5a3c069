package setup

import (
	"context"
	"log/slog"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/wiring"
)

// Recall lets the hooks want what they wanted where the slot stands. Of a slot that nobody
// has read from that is what they want now, and is written down.
func Recall(ctx context.Context, db state.Querier, hooks *hook.Set, cfg config.Config) error {
	seen, known, err := state.HooksSeen(ctx, db, cfg.StateSchema, cfg.Slot)
	if err != nil {
		return err
	}
	if err := hooks.Recall(seen, known); err != nil || known {
		return err
	}
	seen = hooks.Seen(0)
	if err := state.WriteSeen(ctx, db, cfg.StateSchema, cfg.Slot, seen); err != nil {
		return err
	}
	hooks.Written(seen)
	return nil
}

// SeedHooks writes down what the hooks want where a slot was made just now.
func SeedHooks(ctx context.Context, conn *pgx.Conn, cfg config.Config) error {
	hooks := hook.NewSet(wiring.HooksOptions(cfg, slog.New(slog.DiscardHandler)))
	if err := hooks.Load(ctx, conn); err != nil {
		return err
	}
	return Recall(ctx, conn, hooks, cfg)
}
