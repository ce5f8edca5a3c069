package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
)

// databaseTime is the time by the clock of the database.
func databaseTime(ctx context.Context, conn *pgx.Conn) (now time.Time, err error) {
	if err := conn.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&now); err != nil {
		return now, fmt.Errorf("read the database's clock: %w", err)
	}
	return now, nil
}

// remember notes a slot that was made just now, so that a gap is found from its
// beginning. Everything that was committed before that time, which is the
// database's, lies before the slot.
func remember(ctx context.Context, conn *pgx.Conn, cfg config.Config, at time.Time) error {
	slot, err := probe(ctx, cfg, nil)
	if err != nil {
		return err
	}
	return positionsOf(conn, cfg).replace(ctx, &cdc.Past{
		SystemID: slot.SystemID, Timeline: slot.Timeline, End: slot.Confirmed, At: at, Publication: slot.Published, Clean: true,
	})
}

// refuseGap returns the gap of a slot that an earlier run has read from, if there is
// one: what makes a slot where one is missing must not hide it.
func refuseGap(ctx context.Context, conn *pgx.Conn, cfg config.Config) error {
	past, err := positionsOf(conn, cfg).read(ctx)
	if err != nil || past == nil {
		return nil //nolint:nilerr // without the table, or the right to read it, nothing is known
	}
	if _, err := probe(ctx, cfg, past); err != nil {
		if gap, ok := errors.AsType[*cdc.Gap](err); ok {
			return gap
		}
	}
	return nil // what else is wrong the setup will find
}

// probe looks at the slot as a run that begins does.
func probe(ctx context.Context, cfg config.Config, past *cdc.Past) (*cdc.Slot, error) {
	options, err := connectionOptions(cfg)
	if err != nil {
		return nil, err
	}
	return cdc.Probe(ctx, cdc.Options{
		Config: options, Slot: cfg.Slot, Publication: cfg.Publication, Tables: planOf(cfg, identityDefault).Tables,
		Past: func(context.Context) (*cdc.Past, error) { return past, nil },
	})
}
