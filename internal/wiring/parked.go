package wiring

import (
	"context"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
)

// Parked is the store of parked deliveries, with its own connections and the keys that
// sign requests.
type Parked struct {
	Store   *state.Store
	Pool    *pgxpool.Pool
	Signing *Signing
	Log     *slog.Logger
}

// OpenForCommand opens the store for a command, which logs nothing: tell gets the holders
// of locks that it waits for.
func OpenForCommand(ctx context.Context, cfg config.Config, tell func(holders string)) (*Parked, error) {
	return OpenParked(ctx, cfg, slog.New(slog.DiscardHandler), state.Wait{Tell: tell}, nil)
}

// OpenParked opens the store for a sender's share of the hooks; nil: for all. Its tables
// must exist. The caller closes it.
func OpenParked(ctx context.Context, cfg config.Config, log *slog.Logger, wait state.Wait, share *state.Share) (*Parked, error) {
	signing, err := NewSigning(cfg, log)
	if err != nil {
		return nil, err
	}
	pool, err := OpenPool(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := state.Check(ctx, pool, cfg.StateSchema); err != nil {
		pool.Close()
		return nil, err
	}
	store := state.New(state.Options{Pool: pool, Schema: cfg.StateSchema, Log: log, Wait: wait, Share: share})
	return &Parked{Store: store, Pool: pool, Signing: signing, Log: log}, nil
}

// Close closes the connections.
func (p *Parked) Close() { ClosePool(p.Pool) }

// LoadHooks reads the hooks' tables as of now. Unlike the function LoadHooks, it returns
// a *state.LockedError if the tables are locked for long.
func (p *Parked) LoadHooks(ctx context.Context, hooks *hook.Set) error {
	err := p.Store.Read(ctx, func(tx pgx.Tx) error { return hooks.Load(ctx, tx) })
	return explainLoad(err)
}
