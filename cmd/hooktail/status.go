package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/internal/relay"
	"github.com/hooktail/hooktail/internal/status"
	"github.com/hooktail/hooktail/internal/wiring"
)

func (a *app) statusCommand() *cobra.Command {
	return withJSON("print the report as served at /status", &cobra.Command{
		Use:   "status",
		Short: "Show the state of the stream and the hooks",
		Long: "status asks the hooktail running on HOOKTAIL_HTTP_ADDR. If none runs there, it says so and shows the state in\n" +
			"the database: the slot, and parked and dead deliveries.",
		Args: noArgs,
		RunE: a.configured(func(cmd *cobra.Command, cfg config.Config) error {
			report, err := a.reportOf(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			return answer(cmd, report, func() error { return printStatus(a.screen(), &report) })
		}),
	})
}

// reportOf returns the report of the running hooktail, or of the database alone.
func (a *app) reportOf(ctx context.Context, cfg config.Config) (status.Report, error) {
	report, err := status.Ask(ctx, cfg.HTTPAddr)
	if err == nil {
		return report, nil
	}
	fmt.Fprintf(a.stderr, "hooktail: %v; showing database state only\n", err)
	return reportOfDatabase(ctx, cfg)
}

// reportOfDatabase returns the report for a hooktail that is not running.
func reportOfDatabase(ctx context.Context, cfg config.Config) (status.Report, error) {
	r := status.Report{
		Version: version(), Time: time.Now().UTC(), Hooks: []status.Hook{}, Recent: []status.Attempt{}, Progress: []status.Progress{},
		Reason: "not running; this is database state only",
	}
	pool, err := wiring.OpenPool(ctx, cfg)
	if err != nil {
		return r, err
	}
	defer pool.Close()
	if err := reportSlot(ctx, pool, cfg.Slot, &r); err != nil {
		return r, err
	}
	known, err := wiring.ReadKnown(ctx, pool, cfg)
	if err != nil {
		return r, err
	}
	for _, hook := range known.Hooks.All() {
		r.Hooks = append(r.Hooks, relay.StoredHook(hook, known.Settings[hook.ID], known.Backlogs[hook.ID]))
	}
	r.Unreadable, r.Log = relay.UnreadableRows(known.Hooks), relay.ReadLog(ctx, cfg, pool)
	return r, nil
}

// reportSlot adds the state of the slot, which may be missing.
func reportSlot(ctx context.Context, db cdc.Querier, slot string, r *status.Report) error {
	disk, err := cdc.ReadDisk(ctx, db, slot)
	if fault, ok := errors.AsType[*cdc.Fault](err); ok && fault.Reason == cdc.SlotMissing {
		r.Reason += fmt.Sprintf("; there is no slot %s: see hooktail setup", slot)
		return nil
	}
	if err != nil {
		return err
	}
	usage, err := cdc.ReadUsage(ctx, db, slot)
	if err != nil {
		return err
	}
	r.Stream = &status.Stream{Slot: slot, Confirmed: disk.Confirmed.String(), ServerEnd: disk.End.String(), Active: &usage.Active}
	relay.DescribeDisk(r.Stream, disk, disk.Confirmed)
	return nil
}
