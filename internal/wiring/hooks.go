package wiring

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/mapping"
)

// HooksOptions are those of the configuration's tables.
func HooksOptions(cfg config.Config, log *slog.Logger) hook.Options {
	return hook.Options{
		Schema: cfg.SourceSchema, WebhookTable: cfg.WebhookTable, WebhookActionTable: cfg.WebhookActionTable,
		StateSchema: cfg.StateSchema, Deliver: hook.Deliver(cfg.Deliver),
		Actions: mapping.Profile(cfg.Profile).Actions(), Log: log,
	}
}

// LoadHooks reads their tables as of one moment: the snapshot's, or now.
func LoadHooks(ctx context.Context, pool *pgxpool.Pool, hooks *hook.Set, snapshot string) error {
	err := pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if snapshot != "" {
			if _, err := tx.Exec(ctx, "SET TRANSACTION SNAPSHOT '"+snapshot+"'"); err != nil { // takes no parameter; the name is the server's
				return fmt.Errorf("import snapshot: %w", err)
			}
		}
		return hooks.Load(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("read the hooks (the role needs SELECT on their tables): %w", err)
	}
	return nil
}
