package relay

import (
	"context"
	"errors"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/retry"
	"github.com/hooktail/hooktail/internal/setup"
	"github.com/hooktail/hooktail/internal/wiring"
)

// knowsLog returns an error if the log is not the slot's, or not this database's.
func (s *sidecar) knowsLog(ctx context.Context, stored *state.Log) error {
	if err := setup.CheckLog(ctx, s.cfg, s.events, stored); err != nil {
		return err
	}
	return wiring.CheckLogOwner(ctx, s.events, s.pool, s.cfg.Role.Reads())
}

// checkLogEvery is how often a running instance checks that the log is still the slot's.
const checkLogEvery = 2 * time.Second

// logGap ends the program as a *cdc.Gap does. The log shows it for as long as it lasts, so
// it is not recorded with the position.
type logGap struct{ gap *cdc.Gap }

func (g *logGap) Error() string { return g.gap.Error() }

// checkLog returns a *logGap when the stream or the bucket was deleted or created again, or
// when the stream has lost its end. Otherwise it returns nil when ctx ends.
func (s *sidecar) checkLog(ctx context.Context, stored *state.Log) error {
	return retry.Every(ctx, checkLogEvery, func() error {
		within, cancel := context.WithTimeout(ctx, lookWithin)
		defer cancel()
		err := setup.CheckLog(within, s.cfg, s.events, stored)
		if gap, ok := errors.AsType[*cdc.Gap](err); ok {
			return &logGap{gap}
		}
		return nil // others report that NATS or the database does not answer
	})
}
