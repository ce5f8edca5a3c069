package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/display"
)

// decide keeps or deletes the parked deliveries of a copied database, as chosen. Without
// a choice it returns the error with which run stops in a copy. If the database is not a
// copy, there is nothing to choose.
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
		return usageError{errors.New("--forget-parked: this database is not a copy; `hooktail deliveries discard` deletes parked deliveries")}
	case !ok:
		return nil
	case want.dryRun:
		fmt.Fprintln(c.out, copied)
		return nil
	case want.keep:
		if err := c.Store.KeepParked(ctx); err != nil {
			return err
		}
		fmt.Fprintf(c.out, "%s parked in the original: the next `hooktail run` sends them\n", display.Count(copied.Parked, "delivery"))
		return nil
	case want.forget:
		n, err := c.Store.ForgetParked(ctx)
		fmt.Fprintf(c.out, "deleted %s of the original, parked and dead\n", display.Count(n, "delivery"))
		return err
	default:
		return copied
	}
}
