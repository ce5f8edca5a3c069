package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/mapping"
)

func (a *app) redriveCommand() *cobra.Command {
	return a.changeDeliveriesCommand(change{
		use: "redrive", short: "Send dead deliveries again, in order and with the same ids",
		would: "would be redriven", done: "redriven", run: (*state.Store).Redrive,
	})
}

func (a *app) discardCommand() *cobra.Command {
	return a.changeDeliveriesCommand(change{
		use: "discard", short: "Delete stored deliveries permanently", states: "state of the deliveries: parked or dead (default dead)",
		would: "would be discarded", done: "discarded", run: (*state.Store).Discard,
	})
}

// change is an operation on stored deliveries.
type change struct {
	use, short  string
	states      string // help of the flag --state; empty: no such flag
	would, done string
	run         func(s *state.Store, ctx context.Context, f state.Filter, dryRun bool) (int64, error)
}

func (a *app) changeDeliveriesCommand(ch change) *cobra.Command {
	var f state.Filter
	var all, dryRun bool
	cmd := withJSON("print a JSON object", &cobra.Command{
		Use:   ch.use + " [EVENT]",
		Short: ch.short,
		Args:  atMostOne,
	})
	cmd.RunE = a.controls(func(ctx context.Context, c *control, args []string) (err error) {
		if err = checkLimit(f); err == nil && len(args) > 0 {
			f.Event, err = eventOf(args[0])
		}
		if err != nil {
			return err
		}
		if isFiltered := f != (state.Filter{State: f.State, Limit: f.Limit}); isFiltered == all {
			return usageError{fmt.Errorf("%s requires an event, a filter (--hook, --action, --since, --reason …), or --all", cmd.CommandPath())}
		}
		f.State = cmp.Or(f.State, state.Dead)
		c.hint(f.Action)
		n, err := ch.run(c.Store, ctx, f, dryRun)
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
	filterFlags(cmd, &f, ch.states)
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

// filterFlags defines the flags that select deliveries. states is the help of --state, or
// "" for a command without it.
func filterFlags(cmd *cobra.Command, f *state.Filter, states string) {
	flags := cmd.Flags()
	flags.Int64Var(&f.Hook, "hook", 0, "only deliveries for this hook")
	flags.Var(actionInto(&f.Action), "action", "only deliveries of this action, in the hook's spelling")
	if states != "" {
		flags.Var(oneOf(&f.State, state.Parked, state.Dead), "state", states)
	}
	flags.Var(timeInto(&f.Since, ""), "since", "only deliveries committed since: a duration such as 48h, or a time in RFC 3339")
	flags.Var(oneOf(&f.Reason, dispatch.StoredReasons()...), "reason", "only deliveries that are dead for this reason")
	flags.IntVar(&f.Limit, "limit", f.Limit, "maximum number of deliveries; 0: no limit")
}

func checkLimit(f state.Filter) error {
	if f.Limit < 0 {
		return usageError{errors.New("--limit cannot be negative")}
	}
	return nil
}

func eventOf(text string) (mapping.ID, error) {
	id, err := state.ParseID(text)
	if err != nil {
		return id, usageError{err}
	}
	return id, nil
}
