package relay

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooktail/hooktail/internal/retry"
)

const (
	// expireEvery is the pause between two searches for expired rows.
	expireEvery = time.Hour
	// settingGrace is how long the settings of a hook outlive it.
	settingGrace = 24 * time.Hour
	// expireWithin bounds one search: its connection may be half open.
	expireWithin = 10 * time.Minute
)

// expire deletes expired dead deliveries and the settings of deleted hooks, until ctx
// ends.
func (p *parkingRoom) expire(ctx context.Context) {
	retry.Always(ctx, expireEvery, func() {
		look, cancel := context.WithTimeout(ctx, expireWithin)
		defer cancel()
		n, err := p.Store.Expire(look, p.retention)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			p.Log.Error("cannot delete expired dead deliveries; trying again", "error", err, "next", expireEvery)
		case n > 0:
			p.Log.Info("expired dead deliveries deleted", "deliveries", n, "older", p.retention)
		}
		gone, err := p.prune(look)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			p.Log.Error("cannot delete the settings of deleted hooks; trying again", "error", err, "next", expireEvery)
		case len(gone) > 0:
			p.Log.Info("settings of deleted hooks deleted", "hooks", gone)
		}
	})
}

// prune deletes the settings of hooks that have been missing from the application's
// table for a day. It reads the table itself rather than what the stream has shown,
// since a hook that the stream does not know may be newer than what was read.
func (p *parkingRoom) prune(ctx context.Context) (gone []int64, err error) {
	rows, err := p.Pool.Query(ctx, `SELECT id::bigint FROM `+p.webhooks)
	if err != nil {
		return nil, fmt.Errorf("read the hooks: %w", err)
	}
	there, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("read the hooks: %w", err)
	}
	return p.Store.Prune(ctx, there, settingGrace)
}

func newTrimmed() prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{
		Name: "hooktail_dead_dropped_total", Help: "Dead deliveries deleted because those of their hook took more space than HOOKTAIL_PARK_MAX_BYTES.",
	})
}
