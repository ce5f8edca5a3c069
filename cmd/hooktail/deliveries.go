package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/status"
)

func (a *app) deliveriesCommand() *cobra.Command {
	deliveries := &cobra.Command{
		Use:   "deliveries",
		Short: "List, redrive or discard parked and dead deliveries",
		Args:  noArgs,
	}
	deliveries.AddCommand(a.listDeliveriesCommand(), a.showDeliveryCommand(), a.redriveCommand(), a.discardCommand())
	return deliveries
}

// listed is the default limit of a list.
const listed = 100

func (a *app) listDeliveriesCommand() *cobra.Command {
	f := state.Filter{Limit: listed}
	cmd := withJSON("print one JSON object per line", &cobra.Command{
		Use:   "list",
		Short: "List stored deliveries in the order in which they are sent",
		Args:  noArgs,
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
	rows, err := c.Store.List(ctx, f)
	if err != nil {
		return err
	}
	if asJSON(c.cmd) {
		for i := range rows {
			if err := c.printJSON(&rows[i], false); err != nil {
				return err
			}
		}
		return nil
	}
	table := c.out.Table("HOOK", "EVENT", "ACTION", "TASK", "AGE", "STATE", "LAST", "REASON")
	for i := range rows {
		r := &rows[i]
		table.Row(r.Hook, r.Event, r.Action, display.ID(r.Task), display.Span(time.Since(r.Committed)), stateOfDelivery(r), lastOf(r), display.Text(r.Reason))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if f.Limit > 0 && len(rows) == f.Limit {
		fmt.Fprintf(c.err, "hooktail: only the first %d are shown; use --limit 0 for all\n", f.Limit)
	}
	return nil
}

func (a *app) showDeliveryCommand() *cobra.Command {
	var hook int64
	var payload bool
	cmd := withJSON("print one JSON object per line", &cobra.Command{
		Use:   "show EVENT",
		Short: "Show the stored deliveries of an event",
		Args:  some("the id of one event", 1),
		RunE: a.controls(func(ctx context.Context, c *control, args []string) error {
			event, err := eventOf(args[0])
			if err != nil {
				return err
			}
			rows, err := c.Store.Show(ctx, hook, event)
			if err != nil {
				return err
			}
			if len(rows) == 0 {
				return fmt.Errorf("no delivery of event %s is stored: it was delivered, discarded or never parked", event)
			}
			for i := range rows {
				if asJSON(c.cmd) {
					err = c.printJSON(&rows[i], payload)
				} else {
					err = c.printDelivery(&rows[i], payload)
				}
				if err != nil {
					return err
				}
			}
			return nil
		}),
	})
	cmd.Flags().Int64Var(&hook, "hook", 0, "only the delivery for this hook")
	cmd.Flags().BoolVar(&payload, "payload", false, "also print the body of the request")
	return cmd
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

func (c *control) printJSON(r *state.Row, payload bool) error {
	d := status.StoredOf(r)
	if payload {
		d.Payload = r.Body.Bytes()
	}
	line, err := json.Marshal(d)
	if err == nil {
		_, err = fmt.Fprintf(c.out, "%s\n", line)
	}
	if err != nil {
		return fmt.Errorf("print delivery of event %s: %w", r.Event, err)
	}
	return nil
}

// lastOf describes the result of the last attempt.
func lastOf(r *state.Row) string {
	if r.LastStatus != 0 {
		return fmt.Sprint(r.LastStatus)
	}
	return display.Text(r.LastResult)
}

func stateOfDelivery(r *state.Row) display.Cell {
	tone := display.Doubtful
	if r.State == state.Dead {
		tone = display.Bad
	}
	return display.Cell{Text: string(r.State), Tone: tone}
}
