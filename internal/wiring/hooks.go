package wiring

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// HooksOptions returns the options of the configured tables.
func HooksOptions(cfg config.Config, log *slog.Logger) hook.Options {
	return hook.Options{
		Schema: cfg.SourceSchema, WebhookTable: cfg.WebhookTable, WebhookActionTable: cfg.WebhookActionTable,
		StateSchema: cfg.StateSchema, Deliver: hook.Deliver(cfg.Deliver),
		Actions: mapping.Profile(cfg.Profile).Actions(), Log: log,
	}
}

// LoadHooks reads the hooks' tables as of one moment: the snapshot's, or now.
func LoadHooks(ctx context.Context, pool *pgxpool.Pool, hooks *hook.Set, snapshot string) error {
	err := pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if snapshot != "" {
			if _, err := tx.Exec(ctx, "SET TRANSACTION SNAPSHOT '"+snapshot+"'"); err != nil { // SET takes no parameters; the name comes from the server
				return fmt.Errorf("import snapshot: %w", err)
			}
		}
		return hooks.Load(ctx, tx)
	})
	return explainLoad(err)
}

func explainLoad(err error) error {
	if err != nil {
		return fmt.Errorf("read the hooks (the role needs SELECT on their tables): %w", err)
	}
	return nil
}

// Known holds the hooks, their settings, and their stored deliveries, as read from the
// database.
type Known struct {
	Hooks    *hook.Set
	Settings map[int64]state.Setting // by hook
	Backlogs map[int64]state.Backlog // by hook
}

// ReadKnown reads the present state. Before setup there are no settings and no stored
// deliveries.
func ReadKnown(ctx context.Context, pool *pgxpool.Pool, cfg config.Config) (Known, error) {
	options := HooksOptions(cfg, slog.New(slog.DiscardHandler))
	known := Known{Settings: map[int64]state.Setting{}, Backlogs: map[int64]state.Backlog{}}
	version, err := state.Version(ctx, pool, cfg.StateSchema)
	if err != nil {
		return known, err
	}
	if version == 0 {
		options.StateSchema = ""
	} else {
		store := state.New(state.Options{Pool: pool, Schema: cfg.StateSchema})
		settings, err := store.Settings(ctx)
		if err != nil {
			return known, err
		}
		for _, s := range settings {
			known.Settings[s.Hook] = s
		}
		backlogs, err := store.Backlogs(ctx)
		if err != nil {
			return known, err
		}
		for _, b := range backlogs {
			known.Backlogs[b.Hook] = b
		}
	}
	known.Hooks = hook.NewSet(options)
	return known, LoadHooks(ctx, pool, known.Hooks, "")
}
