package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/wiring"
)

func (a *app) adoptCommand() *cobra.Command {
	var all, force bool
	cmd := &cobra.Command{
		Use:   "adopt ID… | --all",
		Short: "Take hooks over: Label Studio does not send to them any more, hooktail does",
		Long: "adopt switches hooks off in Label Studio (webhook.is_active) and has hooktail serve them all the same, in\n" +
			"one transaction. What is committed after it comes from hooktail alone. Label Studio looks its hooks up at the\n" +
			"end of a request: what was committed within HOOKTAIL_ADOPT_OVERLAP before may come from both, and comes from one.",
		Args: hooksOrAll(&all),
		RunE: a.controls(func(ctx context.Context, c *control, args []string) error { return c.adopt(ctx, args, all, force) }),
	}
	cmd.Flags().BoolVar(&all, "all", false, "all hooks that are active")
	cmd.Flags().BoolVar(&force, "force", false, "even if an event that Label Studio has not sent yet may be sent by nobody")
	return cmd
}

func (a *app) releaseCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "release ID… | --all",
		Short: "Give adopted hooks back: they are active in Label Studio again",
		Args:  hooksOrAll(&all),
		RunE:  a.controls(func(ctx context.Context, c *control, args []string) error { return c.release(ctx, args, all) }),
	}
	cmd.Flags().BoolVar(&all, "all", false, "all hooks that are adopted")
	return cmd
}

// hooksOrAll asks for ids, or for the flag in their place.
func hooksOrAll(all *bool) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if *all != (len(args) == 0) {
			return usageError{fmt.Errorf("%s takes the ids of hooks, or --all", cmd.CommandPath())}
		}
		return nil
	}
}

// named are the hooks of the ids, or all.
func (c *control) named(args []string, all bool) ([]*hook.Hook, error) {
	if all {
		return c.hooks.All(), nil
	}
	return c.find(args)
}

func (c *control) adopt(ctx context.Context, args []string, all, force bool) error {
	if c.cfg.Deliver == config.DeliverActive {
		return usageError{errors.New("HOOKTAIL_DELIVER=active: nobody would send to a hook that is adopted")}
	}
	if err := c.mustHaveSlot(ctx); err != nil {
		return err
	}
	hooks, err := c.named(args, all)
	if err != nil {
		return err
	}
	var chosen []*hook.Hook
	for _, hook := range hooks {
		switch {
		case !hook.Active && hook.Adopted:
			fmt.Fprintf(c.out, "hook %d was adopted before\n", hook.ID)
		case !hook.Active && all:
		case !hook.Active:
			return fmt.Errorf("hook %d is switched off in Label Studio: switch it on first", hook.ID)
		case hook.IsRefused() && all:
			fmt.Fprintf(c.out, "hook %d was left alone, since hooktail cannot send to it: %s\n", hook.ID, hook.Fault)
		case hook.IsRefused():
			return fmt.Errorf("hook %d: hooktail cannot send to it: %s", hook.ID, hook.Fault)
		default:
			chosen = append(chosen, hook)
		}
	}
	if len(chosen) > 0 && !force {
		if err := c.mustRemember(ctx); err != nil {
			return err
		}
	}
	return c.hand(ctx, chosen, "adopted: Label Studio does not send to it any more, hooktail does", c.Store.Adopt)
}

func (c *control) release(ctx context.Context, args []string, all bool) error {
	hooks, err := c.named(args, all)
	if err != nil {
		return err
	}
	var chosen []*hook.Hook
	for _, hook := range hooks {
		switch {
		case hook.Adopted:
			chosen = append(chosen, hook)
		case !all:
			fmt.Fprintf(c.out, "hook %d is not adopted\n", hook.ID)
		}
	}
	return c.hand(ctx, chosen, "released: it is active in Label Studio again", c.Store.Release)
}

// hand changes who sends to the hooks, all of them at once, and says so.
func (c *control) hand(ctx context.Context, hooks []*hook.Hook, done string, change func(ctx context.Context, webhooks state.Table, hooks []int64) error) error {
	ids := make([]int64, len(hooks))
	for i, hook := range hooks {
		ids[i] = hook.ID
	}
	if len(ids) > 0 {
		if err := change(ctx, wiring.Webhooks(c.cfg), ids); err != nil {
			return err
		}
	}
	for _, hook := range hooks {
		fmt.Fprintf(c.out, "hook %d %s\n", hook.ID, done)
	}
	if len(hooks) == 0 {
		fmt.Fprintln(c.out, "nothing was changed")
	}
	return nil
}

// mustHaveSlot makes sure that a change of now will be delivered, if only once a
// hooktail runs.
func (c *control) mustHaveSlot(ctx context.Context) error {
	_, err := cdc.ReadUsage(ctx, c.Pool, c.cfg.Slot)
	if fault, ok := errors.AsType[*cdc.Fault](err); ok && fault.Reason == cdc.SlotMissing {
		return fmt.Errorf("slot %q does not exist: run `hooktail setup` first, or what changes from now on reaches nobody", c.cfg.Slot)
	}
	return err
}
