package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/display"
)

// decide does what was chosen with the parked deliveries of a copy. Without a choice that
// is the error that run ends with; where the tables are no copy there is nothing to choose.
func (c *control) decide(ctx context.Context, want repairChoice) error {
	if want.keep && want.forget {
		return usageError{errors.New("--keep-parked and --forget-parked exclude each other")}
	}
	err := state.CheckCopy(ctx, c.Pool, c.cfg.StateSchema)
	copied, ok := errors.AsType[*state.CopyError](err)
	switch {
	case !ok && err != nil:
		return err
	case !ok && want.forget:
		return usageError{errors.New("--forget-parked: what is parked here is no copy's; `hooktail deliveries discard` deletes it")}
	case !ok:
		return nil
	case want.dryRun:
		fmt.Fprintln(c.out, copied)
		return nil
	case want.keep:
		if err := c.Store.KeepParked(ctx); err != nil {
			return err
		}
		fmt.Fprintf(c.out, "%s parked in the original: the next `hooktail run` sends what is parked\n", display.Count(copied.Parked, "delivery"))
		return nil
	case want.forget:
		n, err := c.Store.ForgetParked(ctx)
		fmt.Fprintf(c.out, "%s of the original deleted, parked and dead\n", display.Count(n, "delivery"))
		return err
	default:
		return copied
	}
}
