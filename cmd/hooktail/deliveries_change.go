package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/mapping"
)

func (a *app) redriveCommand() *cobra.Command {
	return a.changeDeliveriesCommand(change{
		use: "redrive", short: "Send dead deliveries again, with the same ids and in order",
		would: "would be redriven", done: "redriven",
		run: func(ctx context.Context, s *state.Store, f state.Filter, dryRun bool) (int64, error) {
			return s.Redrive(ctx, f, dryRun)
		},
	})
}

func (a *app) discardCommand() *cobra.Command {
	return a.changeDeliveriesCommand(change{
		use: "discard", short: "Delete stored deliveries permanently", states: "those that are parked, or dead (default dead)",
		would: "would be discarded", done: "discarded",
		run: func(ctx context.Context, s *state.Store, f state.Filter, dryRun bool) (int64, error) {
			return s.Discard(ctx, f, dryRun)
		},
	})
}

// change is what may be done to stored deliveries.
type change struct {
	use, short  string
	states      string // which may be chosen
	would, done string
	run         func(ctx context.Context, s *state.Store, f state.Filter, dryRun bool) (int64, error)
}

func (a *app) changeDeliveriesCommand(ch change) *cobra.Command {
	var chosen choice
	var all, dryRun, asJSON bool
	cmd := &cobra.Command{
		Use:   ch.use + " [EVENT]",
		Short: ch.short,
		Args:  atMostOne,
	}
	cmd.RunE = a.controls(func(ctx context.Context, c *control, args []string) error {
		f, err := chosen.filter(args)
		if err != nil {
			return err
		}
		if chosen.isEmpty(args) != all {
			return usageError{fmt.Errorf("%s takes an event, a filter (--hook, --action, --since, --reason …), or --all", cmd.CommandPath())}
		}
		if f.State == "" {
			f.State = state.Dead
		}
		n, err := ch.run(ctx, c.Store, f, dryRun)
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(c.out, changed{n, dryRun})
		}
		what := ch.done
		if dryRun {
			what = ch.would
		}
		fmt.Fprintf(c.out, "%s %s\n", display.Count(n, "delivery"), what)
		return nil
	})
	chosen.flags(cmd, ch.states)
	cmd.Flags().BoolVar(&all, "all", false, "all of them, without a filter")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only say how many there are")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

// changed is how many deliveries were changed, or would be.
type changed struct {
	Deliveries int64 `json:"deliveries"`
	DryRun     bool  `json:"dry_run"`
}

// atMostOne lets one event be named.
func atMostOne(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usageError{fmt.Errorf("%s takes one event at most, got %d arguments", cmd.CommandPath(), len(args))}
	}
	return nil
}

// choice is which deliveries are meant, as the command line says it.
type choice struct {
	hook                  int64
	action, state, reason string
	since                 string
	limit                 int
}

// flags defines those of the choice; states are which may be chosen, "" if none may.
func (c *choice) flags(cmd *cobra.Command, states string) {
	flags := cmd.Flags()
	flags.Int64Var(&c.hook, "hook", 0, "only those to this hook")
	flags.StringVar(&c.action, "action", "", "only those of this action, as the hook spells it")
	if states != "" {
		flags.StringVar(&c.state, "state", "", states)
	}
	flags.StringVar(&c.since, "since", "", "only those committed since then: a duration such as 48h, or a time in RFC 3339")
	flags.StringVar(&c.reason, "reason", "", "only those that are dead for this reason")
	flags.IntVar(&c.limit, "limit", c.limit, "at most this many; 0: all")
}

// isEmpty reports whether all deliveries are meant. The state and the limit say
// which of them, and are not reason enough to change any.
func (c *choice) isEmpty(args []string) bool {
	return len(args) == 0 && c.hook == 0 && c.action == "" && c.reason == "" && c.since == ""
}

func (c *choice) filter(args []string) (state.Filter, error) {
	f := state.Filter{Hook: c.hook, Action: mapping.Action(c.action), State: state.State(c.state), Reason: c.reason, Limit: c.limit}
	if f.State != "" && f.State != state.Parked && f.State != state.Dead {
		return f, usageError{fmt.Errorf("--state=%s is invalid: use parked or dead", c.state)}
	}
	if f.Limit < 0 {
		return f, usageError{errors.New("--limit cannot be negative")}
	}
	var err error
	if c.since != "" {
		f.Since, err = sinceOf(c.since, time.Now())
	}
	if err == nil && len(args) > 0 {
		f.Event, err = eventOf(args[0])
	}
	return f, err
}

func sinceOf(text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	return time.Time{}, usageError{fmt.Errorf("--since=%s is invalid: use a duration such as 90m, or a time such as 2026-11-23T09:37:58Z", text)}
}

func eventOf(text string) (mapping.ID, error) {
	id, err := state.ParseID(text)
	if err != nil {
		return id, usageError{err}
	}
	return id, nil
}
