package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/status"
	"github.com/hooktail/hooktail/mapping"
)

func (a *app) deliveriesCommand() *cobra.Command {
	return group("deliveries", "List, redrive or discard parked and dead deliveries",
		a.listDeliveriesCommand(), a.showDeliveryCommand(), a.redriveCommand(), a.discardCommand())
}

// listed is the default limit of a list.
const listed = 100

func (a *app) listDeliveriesCommand() *cobra.Command {
	f := state.Filter{Limit: listed}
	cmd := withJSON("print one JSON object per line", &cobra.Command{
		Use:   "list",
		Short: "List stored deliveries in the order in which they are sent",
		RunE: a.controls(func(ctx context.Context, c *control, _ []string) error {
			if err := checkLimit(f); err != nil {
				return err
			}
			return c.listDeliveries(ctx, f)
		}),
	})
	filterFlags(cmd, &f, "state of the deliveries: parked or dead")
	return cmd
}

func (c *control) listDeliveries(ctx context.Context, f state.Filter) error {
	c.hint(f.Action)
	printed := 0
	err := c.Store.Pages(ctx, f, func(rows []state.Row) error {
		printed += len(rows)
		if asJSON(c.cmd) {
			return c.printJSON(rows, false)
		}
		return c.printDeliveries(rows)
	})
	switch {
	case err != nil || asJSON(c.cmd):
		return err
	case printed == 0:
		return c.printDeliveries(nil)
	case printed == f.Limit:
		fmt.Fprintf(c.err, "hooktail: only the first %d are shown; use --limit 0 for all\n", f.Limit)
	}
	return nil
}

// printDeliveries prints a table.
func (c *control) printDeliveries(rows []state.Row) error {
	table := c.out.Table("HOOK", "EVENT", "ACTION", "TASK", "AGE", "STATE", "LAST", "REASON")
	for i := range rows {
		r, tone := &rows[i], display.Doubtful
		if r.State == state.Dead {
			tone = display.Bad
		}
		table.Row(r.Hook, r.Event, r.Action, display.ID(r.Task), display.Span(time.Since(r.Committed)), display.Cell{Text: string(r.State), Tone: tone}, lastOf(r), display.Text(r.Reason))
	}
	return table.Flush()
}

func (a *app) showDeliveryCommand() *cobra.Command {
	var hook int64
	var payload bool
	cmd := withJSON("print one JSON object per line", &cobra.Command{
		Use:   "show EVENT",
		Short: "Show the stored deliveries of an event",
		RunE: a.controls(func(ctx context.Context, c *control, args []string) error {
			event, err := eventOf(args[0])
			if err != nil {
				return err
			}
			none := true
			err = c.Store.Pages(ctx, state.Filter{Hook: hook, Event: event}, func(rows []state.Row) error {
				none = false
				return c.showDeliveries(ctx, rows, payload)
			})
			if err == nil && none {
				err = fmt.Errorf("no delivery of event %s is stored: it was delivered, discarded or never parked", event)
			}
			return err
		}),
	})
	cmd.Flags().Int64Var(&hook, "hook", 0, "only the delivery for this hook")
	cmd.Flags().BoolVar(&payload, "payload", false, "also print the body of the request")
	return cmd
}

// showDeliveries prints the deliveries, and reads their bodies one by one: thousands of hooks
// may have the event.
func (c *control) showDeliveries(ctx context.Context, rows []state.Row, payload bool) error {
	for i := range rows {
		one := rows[i : i+1]
		if payload {
			var err error
			if one, err = c.Store.Show(ctx, rows[i].Hook, rows[i].Event); err != nil {
				return err
			}
		}
		for j := range one { // none if it has been delivered meanwhile
			if err := c.showDelivery(&one[j], payload); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *control) showDelivery(r *state.Row, payload bool) error {
	if asJSON(c.cmd) {
		return c.printJSON([]state.Row{*r}, payload)
	}
	return c.printDelivery(r, payload)
}

func (c *control) printDelivery(r *state.Row, payload bool) error {
	err := printFacts(c.out, [][2]string{
		{"hook", display.ID(r.Hook)},
		{"event", r.Event.String()},
		{"lsn", r.Event.Commit.String()},
		{"action", string(r.Action)},
		{"project", display.ID(r.Project)},
		{"task", display.ID(r.Task)},
		{"committed", display.Time(r.Committed)},
		{"parked", display.Time(r.Stored)},
		{"size", display.Size(int64(r.Bytes))},
		{"state", string(r.State)},
		{"attempts", fmt.Sprint(r.Attempts)},
		{"last result", lastOf(r)},
		{"next attempt", display.Time(r.Next)},
		{"dead since", display.Time(r.Died)},
		{"reason", display.Text(r.Reason)},
	})
	if err == nil && payload {
		_, err = fmt.Fprintf(c.out, "\n%s\n", r.Body.Bytes())
	}
	return err
}

func (c *control) printJSON(rows []state.Row, payload bool) error {
	encoder := json.NewEncoder(c.out)
	for i := range rows {
		d := status.StoredOf(&rows[i])
		if payload {
			d.Payload = rows[i].Body.Bytes()
		}
		if err := encoder.Encode(d); err != nil {
			return fmt.Errorf("print delivery of event %s: %w", d.Event, err)
		}
	}
	return nil
}

func lastOf(r *state.Row) string {
	if r.LastStatus != 0 {
		return fmt.Sprint(r.LastStatus)
	}
	return display.Text(r.LastResult)
}

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
		if err != nil && n > 0 {
			return fmt.Errorf("%s %s, and not the rest: %w", display.Count(n, "delivery"), ch.done, err)
		}
		if err != nil {
			return err
		}
		return printAnswer(cmd, changed{n, dryRun}, func() error {
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
