package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/internal/status"
)

// mustRemember returns an error unless the running hooktail remembers the events of
// requests in progress, for which Label Studio has not looked up its hooks yet.
func (c *control) mustRemember(ctx context.Context) error {
	report, err := status.Ask(ctx, c.cfg.HTTPAddr)
	if err == nil && report.Stream != nil && report.Stream.Slot == c.cfg.Slot {
		return whole(report.Overlap)
	}
	if c.cfg.Deliver != config.DeliverAdopted || c.cfg.AdoptOverlap == 0 {
		return nil // hooktail sends to active hooks as well
	}
	usage, err := cdc.ReadUsage(ctx, c.Pool, c.cfg.Slot)
	switch {
	case err != nil:
		return err
	case usage.For == 0:
		return errors.New("hooktail is not reading the slot: start it first, or an event that Label Studio has not sent yet is lost (--force adopts anyway)")
	default:
		return whole(&status.Overlap{Seconds: c.cfg.AdoptOverlap.Seconds(), Whole: usage.For >= c.cfg.AdoptOverlap})
	}
}

func whole(o *status.Overlap) error {
	if o == nil || o.Whole {
		return nil
	}
	return fmt.Errorf("hooktail does not remember all events of the last %s (it started more recently, or HOOKTAIL_MEMORY is too small): "+
		"an event that Label Studio has not sent yet could be lost; wait and try again (--force adopts anyway)",
		time.Duration(o.Seconds*float64(time.Second)))
}
