package main

import (
	"context"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/parking"
)

// parked is the store of what cannot be delivered now, on connections of its own, with
// the keys that requests are signed with.
type parked struct {
	store   *parking.Store
	pool    *pgxpool.Pool
	signing *signing
	log     *slog.Logger
}

// openParked opens the store, if its tables are there. The caller closes it.
func openParked(ctx context.Context, cfg config.Config, log *slog.Logger) (*parked, error) {
	signing, err := newSigning(cfg, log)
	if err != nil {
		return nil, err
	}
	pool, err := openPool(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := parking.Check(ctx, pool, cfg.StateSchema); err != nil {
		pool.Close()
		return nil, err
	}
	store := parking.New(parking.Options{Pool: pool, Schema: cfg.StateSchema, Log: log})
	return &parked{store: store, pool: pool, signing: signing, log: log}, nil
}

// close gives the connections back.
func (p *parked) close() { p.pool.Close() }
