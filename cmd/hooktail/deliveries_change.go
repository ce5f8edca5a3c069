package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/mapping"
)

func (a *app) redriveCommand() *cobra.Command {
	return a.changeDeliveriesCommand(change{
		use: "redrive", short: "Send dead deliveries again, in order and with the same ids",
		would: "would be redriven", done: "redriven",
		run: func(ctx context.Context, s *state.Store, f state.Filter, dryRun bool) (int64, error) {
			return s.Redrive(ctx, f, dryRun)
		},
	})
}

func (a *app) discardCommand() *cobra.Command {
	return a.changeDeliveriesCommand(change{
		use: "discard", short: "Delete stored deliveries permanently", states: "state of the deliveries: parked or dead (default dead)",
		would: "would be discarded", done: "discarded",
		run: func(ctx context.Context, s *state.Store, f state.Filter, dryRun bool) (int64, error) {
			return s.Discard(ctx, f, dryRun)
		},
	})
}

// change is an operation on stored deliveries.
type change struct {
	use, short  string
	states      string // help of the flag --state; empty: no such flag
	would, done string
	run         func(ctx context.Context, s *state.Store, f state.Filter, dryRun bool) (int64, error)
}

func (a *app) changeDeliveriesCommand(ch change) *cobra.Command {
	var chosen choice
	var all, dryRun bool
	cmd := withJSON("print a JSON object", &cobra.Command{
		Use:   ch.use + " [EVENT]",
		Short: ch.short,
		Args:  atMostOne,
	})
	cmd.RunE = a.controls(func(ctx context.Context, c *control, args []string) error {
		f, err := chosen.filter(args)
		if err != nil {
			return err
		}
		if chosen.isEmpty(args) != all {
			return usageError{fmt.Errorf("%s requires an event, a filter (--hook, --action, --since, --reason …), or --all", cmd.CommandPath())}
		}
		if f.State == "" {
			f.State = state.Dead
		}
		c.hint(f.Action)
		n, err := ch.run(ctx, c.Store, f, dryRun)
		if err != nil {
			return err
		}
		return answer(cmd, changed{n, dryRun}, func() error {
			what := ch.done
			if dryRun {
				what = ch.would
			}
			_, err := fmt.Fprintf(c.out, "%s %s\n", display.Count(n, "delivery"), what)
			return err
		})
	})
	chosen.flags(cmd, ch.states)
	cmd.Flags().BoolVar(&all, "all", false, "all deliveries, without a filter")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print the number of deliveries and change none")
	return cmd
}

// changed is the number of deliveries that were changed; with --dry-run, that would be.
type changed struct {
	Deliveries int64 `json:"deliveries"`
	DryRun     bool  `json:"dry_run"`
}

// atMostOne allows one event to be named.
func atMostOne(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usageError{fmt.Errorf("%s takes at most one event, got %d arguments", cmd.CommandPath(), len(args))}
	}
	return nil
}

// choice holds the flags that select deliveries.
type choice struct {
	hook   int64
	action mapping.Action
	state  state.State
	reason string
	since  time.Time
	limit  int
}

// flags defines the flags. states is the help of --state, or "" for a command without it.
func (c *choice) flags(cmd *cobra.Command, states string) {
	flags := cmd.Flags()
	flags.Int64Var(&c.hook, "hook", 0, "only deliveries for this hook")
	flags.Var(actionInto(&c.action), "action", "only deliveries of this action, in the hook's spelling")
	if states != "" {
		flags.Var(oneOf(&c.state, state.Parked, state.Dead), "state", states)
	}
	flags.Var(timeInto(&c.since, ""), "since", "only deliveries committed since: a duration such as 48h, or a time in RFC 3339")
	flags.Var(oneOf(&c.reason, dispatch.StoredReasons()...), "reason", "only deliveries that are dead for this reason")
	flags.IntVar(&c.limit, "limit", c.limit, "maximum number of deliveries; 0: no limit")
}

// isEmpty reports whether no filter is set. The state and the limit are no filter.
func (c *choice) isEmpty(args []string) bool {
	return len(args) == 0 && c.hook == 0 && c.action == "" && c.reason == "" && c.since.IsZero()
}

func (c *choice) filter(args []string) (state.Filter, error) {
	f := state.Filter{Hook: c.hook, Action: c.action, State: c.state, Reason: c.reason, Since: c.since, Limit: c.limit}
	if f.Limit < 0 {
		return f, usageError{errors.New("--limit cannot be negative")}
	}
	var err error
	if len(args) > 0 {
		f.Event, err = eventOf(args[0])
	}
	return f, err
}

func eventOf(text string) (mapping.ID, error) {
	id, err := state.ParseID(text)
	if err != nil {
		return id, usageError{err}
	}
	return id, nil
}
