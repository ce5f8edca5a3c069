package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/parking"
	"github.com/hooktail/hooktail/trouble"
)

// parkingRoom is the store of what cannot be delivered now, with what keeps it
// and the lanes up to date with each other.
type parkingRoom struct {
	store     *parking.Store
	pool      *pgxpool.Pool
	signing   *signing
	retention time.Duration // of dead deliveries
	log       *slog.Logger

	counted time.Time     // when the rows were counted last
	took    time.Duration // and how long that took
}

// openParking opens the store on connections of its own, if its tables are there.
func openParking(ctx context.Context, cfg config.Config, log *slog.Logger) (*parkingRoom, error) {
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
	return &parkingRoom{store: store, pool: pool, signing: signing, retention: cfg.DeadRetention, log: log}, nil
}

func (p *parkingRoom) close() { p.pool.Close() }

// check returns an error if there are secrets that nothing can be signed with.
func (p *parkingRoom) check(ctx context.Context) error {
	settings, err := p.store.Settings(ctx)
	if err != nil {
		return err
	}
	return p.signing.check(settings)
}

// restore tells the dispatcher what there is at the start.
func (p *parkingRoom) restore(ctx context.Context, d *dispatch.Dispatcher) error {
	settings, err := p.store.Settings(ctx)
	if err != nil {
		return err
	}
	backlogs, err := p.store.Backlogs(ctx)
	if err != nil {
		return err
	}
	p.signing.update(settings)
	d.Restore(backlogs, settings)
	p.counted = time.Now()
	return nil
}

// watch tells the dispatcher what people change, until the context ends.
func (p *parkingRoom) watch(ctx context.Context, d *dispatch.Dispatcher, hooks *dispatch.Hooks) {
	double := &doubleSender{hooks: hooks, pool: p.pool, log: p.log, warned: make(map[int64]bool)}
	var failing trouble.Repeat
	p.store.Watch(ctx, func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, lookPatience)
		defer cancel()
		if err := p.look(ctx, d); err == nil {
			failing.Worked(ctx, p.log, "what has been changed by people is known again")
		} else if !errors.Is(ctx.Err(), context.Canceled) {
			failing.Failed(ctx, p.log, slog.LevelError, "what has been changed by people is not known; trying again", slog.Any("error", err))
		}
		if err := double.look(ctx); err != nil && ctx.Err() == nil {
			p.log.Debug("whether somebody else sends as well is not known", "error", err)
		}
		d.Ages()
	})
}

// lookPatience bounds a look at the tables, however large they are: its connection
// may be half open.
const lookPatience = 5 * time.Minute

// look brings the dispatcher up to date with the tables.
func (p *parkingRoom) look(ctx context.Context, d *dispatch.Dispatcher) error {
	return errors.Join(p.settings(ctx, d), p.redriven(ctx, d), p.recount(ctx, d))
}

func (p *parkingRoom) settings(ctx context.Context, d *dispatch.Dispatcher) error {
	settings, err := p.store.Settings(ctx)
	if err == nil {
		p.signing.update(settings)
		d.Settings(settings)
	}
	return err
}

// redrivenAtOnce bounds the rows that are told of in one go.
const redrivenAtOnce = 1000

func (p *parkingRoom) redriven(ctx context.Context, d *dispatch.Dispatcher) error {
	for {
		rows, err := p.store.Redriven(ctx, redrivenAtOnce)
		if err != nil || len(rows) == 0 {
			return err
		}
		d.Redriven(rows)
		keys := make([]parking.Key, len(rows))
		for i := range rows {
			keys[i] = rows[i].Key
		}
		if err := p.store.Taken(ctx, keys); err != nil {
			return err
		}
	}
}

// Counting reads the whole table: it may take that share of the time.
const countingShare = 20

func (p *parkingRoom) recount(ctx context.Context, d *dispatch.Dispatcher) error {
	begun := time.Now()
	if begun.Sub(p.counted) < countingShare*p.took {
		return nil
	}
	err := d.Recount(ctx, p.store.Backlogs)
	p.counted = time.Now()
	p.took = p.counted.Sub(begun)
	return err
}

// expireEvery is how often dead deliveries that are too old are looked for.
const expireEvery = time.Hour

// expire deletes dead deliveries that are too old, until the context ends.
func (p *parkingRoom) expire(ctx context.Context) {
	always(ctx, expireEvery, func() {
		n, err := p.store.Expire(ctx, p.retention)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			p.log.Error("dead deliveries were not expired; trying again", "error", err, "next", expireEvery)
		case n > 0:
			p.log.Info("dead deliveries expired", "deliveries", n, "older", p.retention)
		}
	})
}
