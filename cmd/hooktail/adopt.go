package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/status"
	"github.com/hooktail/hooktail/internal/wiring"
)

func (a *app) adoptCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "adopt ID… | --all",
		Short: "Take hooks over from Label Studio, which stops sending to them",
		Long: "adopt makes hooks inactive in Label Studio (webhook.is_active) and has hooktail serve them, in\n" +
			"one transaction. Changes committed afterwards are sent by hooktail alone. Label Studio looks up its hooks at the\n" +
			"end of a request, so it may still send changes committed within HOOKTAIL_ADOPT_OVERLAP before. hooktail sends\n" +
			"those too: they may arrive twice, but none is lost.",
		RunE: a.controls(func(ctx context.Context, c *control, args []string) error { return c.adopt(ctx, args, force) }),
	}
	cmd.Flags().Bool("all", false, "all active hooks")
	cmd.Flags().BoolVar(&force, "force", false, "adopt even if an event that Label Studio has not sent yet may be lost")
	return cmd
}

func (a *app) releaseCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "release ID… | --all",
		Short: "Give adopted hooks back to Label Studio, active again",
		RunE:  a.controls(release),
	}
	cmd.Flags().Bool("all", false, "all adopted hooks")
	return cmd
}

func hooksOrAll(cmd *cobra.Command, args []string) error {
	if all, _ := cmd.Flags().GetBool("all"); all != (len(args) == 0) {
		return usageError{fmt.Errorf("%s takes the ids of hooks, or --all", cmd.CommandPath())}
	}
	return nil
}

func (c *control) adopt(ctx context.Context, args []string, force bool) error {
	if c.cfg.Deliver == config.DeliverActive {
		return usageError{errors.New("HOOKTAIL_DELIVER=active: adopted hooks would not be served")}
	}
	if err := c.mustHaveSlot(ctx); err != nil {
		return err
	}
	hooks, err := c.find(args)
	if err != nil {
		return err
	}
	var chosen []int64
	for _, hook := range hooks {
		switch {
		case !hook.Active && hook.Adopted:
			fmt.Fprintf(c.out, "hook %d is already adopted\n", hook.ID)
		case !hook.Active && len(args) == 0:
		case !hook.Active:
			return fmt.Errorf("hook %d is inactive in Label Studio: activate it first", hook.ID)
		case hook.IsRefused() && len(args) == 0:
			fmt.Fprintf(c.out, "hook %d was skipped, since hooktail cannot send to it: %s\n", hook.ID, hook.Fault)
		case hook.IsRefused():
			return fmt.Errorf("hook %d: hooktail cannot send to it: %s", hook.ID, hook.Fault)
		default:
			chosen = append(chosen, hook.ID)
		}
	}
	if len(chosen) > 0 && !force {
		if err := c.mustRemember(ctx); err != nil {
			return err
		}
	}
	return c.hand(ctx, chosen, "adopted: hooktail sends to it now, Label Studio no longer does", c.Store.Adopt)
}

func release(ctx context.Context, c *control, args []string) error {
	hooks, err := c.find(args)
	if err != nil {
		return err
	}
	var chosen []int64
	for _, hook := range hooks {
		switch {
		case hook.Adopted:
			chosen = append(chosen, hook.ID)
		case len(args) > 0:
			fmt.Fprintf(c.out, "hook %d is not adopted\n", hook.ID)
		}
	}
	return c.hand(ctx, chosen, "released: it is active in Label Studio again", c.Store.Release)
}

// hand changes who sends to the hooks, in one transaction, and prints the result.
func (c *control) hand(ctx context.Context, hooks []int64, done string, change func(ctx context.Context, webhooks state.Table, hooks []int64) error) error {
	if len(hooks) == 0 {
		fmt.Fprintln(c.out, "nothing was changed")
		return nil
	}
	if err := change(ctx, wiring.Webhooks(c.cfg), hooks); err != nil {
		return err
	}
	for _, id := range hooks {
		fmt.Fprintf(c.out, "hook %d %s\n", id, done)
	}
	return nil
}

// mustHaveSlot returns an error unless the slot exists. With a slot, later changes are
// delivered even if hooktail is not running now.
func (c *control) mustHaveSlot(ctx context.Context) error {
	_, err := cdc.ReadDisk(ctx, c.Pool, c.cfg.Slot)
	if fault, ok := errors.AsType[*cdc.Fault](err); ok && fault.Reason == cdc.SlotMissing {
		return fmt.Errorf("slot %q does not exist: run `hooktail setup` first, or changes from now on are lost", c.cfg.Slot)
	}
	return err
}

// mustRemember returns an error unless the running hooktail remembers the events of
// requests in progress, for which Label Studio has not looked up its hooks yet.
func (c *control) mustRemember(ctx context.Context) error {
	report, err := c.askRunning(ctx)
	if err == nil && report.Stream != nil {
		return whole(report.Overlap)
	}
	if c.cfg.Deliver != config.DeliverAdopted || c.cfg.AdoptOverlap == 0 {
		return nil // hooktail sends to active hooks as well
	}
	disk, err := cdc.ReadDisk(ctx, c.Pool, c.cfg.Slot)
	switch {
	case err != nil:
		return err
	case disk.ReadFor == 0 && disk.Active:
		return errors.New("the slot is read by another role, of which this one may not see since when: set HOOKTAIL_HTTP_ADDR to the address of the running hooktail, " +
			"or let an administrator grant pg_read_all_stats (--force adopts anyway)")
	case disk.ReadFor == 0:
		return errors.New("hooktail is not reading the slot: start it first, or an event that Label Studio has not sent yet is lost (--force adopts anyway)")
	default:
		return whole(&status.Overlap{Seconds: c.cfg.AdoptOverlap.Seconds(), Whole: disk.ReadFor >= c.cfg.AdoptOverlap})
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
