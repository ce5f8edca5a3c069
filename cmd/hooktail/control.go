package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/replay"
	"github.com/hooktail/hooktail/internal/status"
	"github.com/hooktail/hooktail/internal/wiring"
)

// control is shared by the commands that list and manage hooks and deliveries. A running
// hooktail follows their changes in the database.
type control struct {
	*wiring.Parked
	cfg   config.Config
	hooks *hook.Set // as they are in the database now
	cmd   *cobra.Command
	out   display.Screen
	err   io.Writer
}

// askRunning asks the running hooktail: see askRunningOf.
func (c *control) askRunning(ctx context.Context) (status.Report, error) {
	return askRunningOf(ctx, c.cfg, func(ctx context.Context) (state.Identity, error) { return state.Here(ctx, c.Pool) })
}

// controls runs f with the configured database, in which hooktail's tables must exist.
func (a *app) controls(f func(ctx context.Context, c *control, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cfg, err := a.config()
		if err != nil {
			return err
		}
		ctx := cmd.Context()
		room, err := wiring.OpenForCommand(ctx, cfg, func(holders string) {
			fmt.Fprintf(a.stderr, "hooktail: waiting for a lock held by %s\n", holders)
		})
		if err != nil {
			return err
		}
		defer room.Close()
		hooks := hook.NewSet(wiring.HooksOptions(cfg, room.Log))
		if err := room.LoadHooks(ctx, hooks); err != nil {
			return err
		}
		return f(ctx, &control{Parked: room, cfg: cfg, hooks: hooks, cmd: cmd, out: a.screen(), err: a.stderr}, args)
	}
}

func (c *control) rows(total int64) replay.Progress {
	return display.NewProgress(c.err, total, "rows", "id", time.Now())
}

// onHook runs f with the hook that the only argument names.
func (a *app) onHook(f func(ctx context.Context, c *control, h *hook.Hook) error) func(*cobra.Command, []string) error {
	return a.controls(func(ctx context.Context, c *control, args []string) error {
		hooks, err := c.find(args)
		if err != nil {
			return err
		}
		return f(ctx, c, hooks[0])
	})
}

// find returns the hooks with the given ids, all hooks if none is given, or an error if
// one is missing.
func (c *control) find(args []string) ([]*hook.Hook, error) {
	if len(args) == 0 {
		return c.hooks.All(), nil
	}
	var found []*hook.Hook
	for _, arg := range args {
		id, err := strconv.ParseInt(arg, 10, 64)
		if err != nil {
			return nil, usageError{fmt.Errorf("%q is not the id of a hook", arg)}
		}
		hook, ok := c.hooks.Hook(id)
		if !ok {
			return nil, c.missing(id)
		}
		if !slices.Contains(found, hook) {
			found = append(found, hook)
		}
	}
	return found, nil
}

func (c *control) missing(id int64) error {
	for _, row := range c.hooks.Unreadable() {
		if row.Table == hook.Webhook && row.Key == strconv.FormatInt(id, 10) {
			return fmt.Errorf("the row of hook %d cannot be read, and nothing is sent to it: %s", id, row.Fault)
		}
	}
	return fmt.Errorf("there is no hook %d: see `hooktail hooks list`", id)
}
