package setup

import (
	"context"
	"log/slog"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/wiring"
)

// Recall restores the hooks' settings as of the slot's position. If the slot has never
// been read, these are the present settings, which Recall records.
func Recall(ctx context.Context, db state.Querier, hooks *hook.Set, cfg config.Config) error {
	seen, known, err := state.HooksSeen(ctx, db, cfg.StateSchema, cfg.Slot)
	if err != nil {
		return err
	}
	if err := hooks.Recall(seen, known); err != nil || known {
		return err
	}
	seen = hooks.Seen(0, true)
	if err := state.WriteSeen(ctx, db, cfg.StateSchema, cfg.Slot, seen); err != nil {
		return err
	}
	hooks.Written(seen)
	return nil
}

// SeedHooks records the hooks' settings at the position of a slot that was just created.
func SeedHooks(ctx context.Context, db state.Querier, cfg config.Config) error {
	hooks := hook.NewSet(wiring.HooksOptions(cfg, slog.New(slog.DiscardHandler)))
	if err := hooks.Load(ctx, db); err != nil {
		return err
	}
	return Recall(ctx, db, hooks, cfg)
}
