package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/wiring"
)

// control is what the commands have that look at hooks and deliveries and change
// what is said of them. A hooktail that runs learns of it from the database.
type control struct {
	*wiring.Parked
	cfg   config.Config
	hooks *hook.Set // as they are in the database now
	out   display.Screen
	err   io.Writer
}

// controls runs f with the configuration's database, whose tables of hooktail have
// to be there.
func (a *app) controls(f func(ctx context.Context, c *control, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cfg, err := a.config()
		if err != nil {
			return err
		}
		ctx := cmd.Context()
		room, err := wiring.OpenParked(ctx, cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		defer room.Close()
		hooks := hook.NewSet(wiring.HooksOptions(cfg, room.Log))
		if err := wiring.LoadHooks(ctx, room.Pool, hooks, ""); err != nil {
			return err
		}
		return f(ctx, &control{Parked: room, cfg: cfg, hooks: hooks, out: a.screen(), err: a.stderr}, args)
	}
}

// find is the hooks of these ids, all of which have to be there.
func (c *control) find(args []string) ([]*hook.Hook, error) {
	var found []*hook.Hook
	for _, arg := range args {
		id, err := strconv.ParseInt(arg, 10, 64)
		if err != nil || id <= 0 {
			return nil, usageError{fmt.Errorf("%q is no hook's id", arg)}
		}
		hook, ok := c.hooks.Hook(id)
		if !ok {
			return nil, fmt.Errorf("there is no hook %d: see `hooktail hooks list`", id)
		}
		if !slices.Contains(found, hook) {
			found = append(found, hook)
		}
	}
	return found, nil
}

// oneHook is for commands that take one hook.
func oneHook() cobra.PositionalArgs { return some("the id of one hook", 1) }

// granted adds to an error for want of a privilege what the owner has to run.
func granted(err error, grant string) error {
	const insufficientPrivilege = "42501" // https://www.postgresql.org/docs/current/errcodes-appendix.html
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == insufficientPrivilege {
		return fmt.Errorf("%w: let the owner of the table run %s", err, grant)
	}
	return err
}
