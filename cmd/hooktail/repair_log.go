package main

import (
	"context"
	"fmt"

	"github.com/hooktail/hooktail/internal/setup"
)

// repairLog passes over what is missing in the log, if there is one, and prints it. It reports
// whether anything is missing.
func (c *control) repairLog(ctx context.Context, dryRun bool) (missing bool, err error) {
	if !setup.HasLog(c.cfg) {
		return false, nil
	}
	err = setup.RepairLog(ctx, c.cfg, c.Pool, dryRun, func(what string) {
		missing = true
		fmt.Fprintln(c.out, what)
	})
	if err == nil && missing && !dryRun {
		fmt.Fprintln(c.out, "the log goes on: run `hooktail backfill` for what the tables still show of the missing events")
	}
	return missing, err
}
