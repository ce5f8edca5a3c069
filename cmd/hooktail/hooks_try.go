package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/dispatch/filter"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/replay"
	"github.com/hooktail/hooktail/internal/wiring"
)

func (a *app) testFilterCommand() *cobra.Command {
	var expression string
	var o replay.PreviewOptions
	cmd := withJSON("print the result as a JSON object", &cobra.Command{
		Use:   "test ID",
		Short: "Try a filter on events made from existing rows",
		Long: "test makes the events that the hook wants from the rows that were created or updated since a time, and counts\n" +
			"those that the filter would send and leave out, with examples. Nothing is sent or changed. Rows do not show\n" +
			"deletions, custom events, or how often they were updated.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Most < 1 {
				return usageError{fmt.Errorf("--limit=%d: must be at least 1", o.Most)}
			}
			return a.onHook(func(ctx context.Context, c *control, h *hook.Hook) error {
				o.Hook, o.Mapping, o.Parked, o.Progress = h, wiring.MappingOptions(c.cfg, c.Log), c.Parked, c.rows
				o.Mapping.CountShare = a.CountShare
				return c.testFilter(ctx, expression, o)
			})(cmd, args)
		},
	})
	flags := cmd.Flags()
	flags.StringVar(&expression, "filter", "", "CEL expression over the body; default: the hook's filter")
	flags.Var(timeInto(&o.Since, "24h"), "since", "only rows created or updated since then: a duration such as 48h, or a time in RFC 3339")
	flags.IntVar(&o.Most, "limit", 10_000, "greatest number of events")
	return cmd
}

func (c *control) testFilter(ctx context.Context, expression string, o replay.PreviewOptions) (err error) {
	if expression == "" && o.Hook.Choice != nil {
		expression = o.Hook.Choice.Filter
	}
	if expression == "" {
		return usageError{fmt.Errorf("hook %d has no filter: use --filter", o.Hook.ID)}
	}
	if o.Filter, err = filter.Compile(expression); err != nil {
		return choiceError(fmt.Errorf("filter: %w", err))
	}
	preview, err := replay.TryFilter(ctx, o)
	if err != nil {
		return interrupted(ctx, err)
	}
	return printAnswer(c.cmd, preview, func() error { return c.printPreview(preview) })
}

func (c *control) printPreview(p *replay.Preview) error {
	if len(p.Actions) == 0 {
		_, err := fmt.Fprintf(c.out, "hook %d wants no event that can be made from the rows\n", p.Hook)
		return err
	}
	table := c.out.Table("ACTION", "EVENTS", "SENT", "FILTERED", "FAILED")
	for _, n := range p.Actions {
		table.Row(string(n.Action), n.Events, n.Sent, n.LeftOut, n.Failed)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, e := range p.Examples {
		text := fmt.Sprintf("%s: %s of %s", e.Verdict, e.Action, e.Subject())
		if e.Error != "" {
			text += ": " + display.Excerpt(e.Error, 200)
		}
		fmt.Fprintln(c.out, text)
	}
	if p.Cut {
		fmt.Fprintln(c.out, "There are more events: raise --limit, or shorten --since.")
	}
	return nil
}
