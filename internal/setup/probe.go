package setup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/wiring"
)

// DatabaseTime returns the time of the database's clock.
func DatabaseTime(ctx context.Context, conn *pgx.Conn) (now time.Time, err error) {
	if err := conn.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&now); err != nil {
		return now, fmt.Errorf("read the database's clock: %w", err)
	}
	return now, nil
}

// Remember records a slot that was just created, so that a gap is detected from the
// slot's beginning. at is a time of the database's clock: everything committed before it
// precedes the slot.
func Remember(ctx context.Context, conn *pgx.Conn, cfg config.Config, at time.Time) error {
	slot, err := Probe(ctx, cfg, nil)
	if err != nil {
		return err
	}
	return state.NewPositions(conn, cfg.StateSchema, cfg.Slot).Replace(ctx, &cdc.Memory{
		SystemID: slot.SystemID, Timeline: slot.Timeline, End: slot.Confirmed, At: at, Publication: slot.Published, Clean: true,
	})
}

// RefuseGap returns the gap of a slot that an earlier run has read, or nil. Creating a
// missing slot must not hide a gap. If there is one, hooktail's own tables are migrated
// nevertheless: the repair of the gap needs the tables of this version.
func RefuseGap(ctx context.Context, conn *pgx.Conn, cfg config.Config) error {
	memory, err := state.NewPositions(conn, cfg.StateSchema, cfg.Slot).Read(ctx)
	if err != nil || memory == nil {
		return nil //nolint:nilerr // without the table, or the right to read it, nothing is known
	}
	if _, err := Probe(ctx, cfg, memory); err != nil {
		if gap, ok := errors.AsType[*cdc.Gap](err); ok {
			_, err := migrate(ctx, conn, cfg.StateSchema)
			return errors.Join(gap, err)
		}
	}
	return nil // the setup reports other errors
}

// Probe examines the slot as a run does at its start.
func Probe(ctx context.Context, cfg config.Config, memory *cdc.Memory) (*cdc.Slot, error) {
	options, err := wiring.Replication(cfg)
	if err != nil {
		return nil, err
	}
	return cdc.Probe(ctx, cdc.Options{
		Config: options, Slot: cfg.Slot, Publication: cfg.Publication, Tables: wiring.PlanOf(cfg, wiring.IdentityDefault).Tables,
		Memory: func(context.Context) (*cdc.Memory, error) { return memory, nil },
	})
}

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
