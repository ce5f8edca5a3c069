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

// mustRemember makes sure that an event whose request is under way, so that Label Studio
// has not looked for its hooks yet, is remembered by the hooktail that runs.
func (c *control) mustRemember(ctx context.Context) error {
	addr, err := status.AskedAddr(c.cfg.HTTPAddr)
	if err == nil {
		var report status.Report
		if report, err = status.Ask(ctx, addr); err == nil && report.Stream != nil && report.Stream.Slot == c.cfg.Slot {
			return whole(report.Overlap)
		}
	}
	if c.cfg.Deliver != config.DeliverAdopted || c.cfg.AdoptOverlap == 0 {
		return nil // hooktail sends to active hooks as well
	}
	usage, err := cdc.ReadUsage(ctx, c.Pool, c.cfg.Slot)
	switch {
	case err != nil:
		return err
	case usage.For == 0:
		return errors.New("no hooktail is known to read the slot: start it first, or an event that Label Studio has not sent yet is sent by nobody (--force adopts all the same)")
	default:
		return whole(&status.Overlap{Seconds: c.cfg.AdoptOverlap.Seconds(), Whole: usage.For >= c.cfg.AdoptOverlap})
	}
}

func whole(o *status.Overlap) error {
	if o == nil || o.Whole {
		return nil
	}
	return fmt.Errorf("hooktail does not remember all of the last %s yet (it started less than that ago, or HOOKTAIL_MEMORY has no room for so much): "+
		"an event that Label Studio has not sent yet could be sent by nobody; wait and try again (--force adopts all the same)",
		time.Duration(o.Seconds*float64(time.Second)))
}
