package setup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/wiring"
)

// DatabaseTime is the time by the clock of the database.
func DatabaseTime(ctx context.Context, conn *pgx.Conn) (now time.Time, err error) {
	if err := conn.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&now); err != nil {
		return now, fmt.Errorf("read the database's clock: %w", err)
	}
	return now, nil
}

// Remember notes a slot that was made just now, so that a gap is found from its
// beginning. Everything that was committed before that time, which is the
// database's, lies before the slot.
func Remember(ctx context.Context, conn *pgx.Conn, cfg config.Config, at time.Time) error {
	slot, err := Probe(ctx, cfg, nil)
	if err != nil {
		return err
	}
	return state.NewPositions(conn, cfg.StateSchema, cfg.Slot).Replace(ctx, &cdc.Memory{
		SystemID: slot.SystemID, Timeline: slot.Timeline, End: slot.Confirmed, At: at, Publication: slot.Published, Clean: true,
	})
}

// RefuseGap returns the gap of a slot that an earlier run has read from, if there is
// one: what makes a slot where one is missing must not hide it.
func RefuseGap(ctx context.Context, conn *pgx.Conn, cfg config.Config) error {
	memory, err := state.NewPositions(conn, cfg.StateSchema, cfg.Slot).Read(ctx)
	if err != nil || memory == nil {
		return nil //nolint:nilerr // without the table, or the right to read it, nothing is known
	}
	if _, err := Probe(ctx, cfg, memory); err != nil {
		if gap, ok := errors.AsType[*cdc.Gap](err); ok {
			return gap
		}
	}
	return nil // what else is wrong the setup will find
}

// Probe looks at the slot as a run that begins does.
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
