package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/dispatch/filter"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/display"
)

func (a *app) setHookCommand() *cobra.Command {
	var events, expression, rate, format string
	cmd := withJSON("print the hook's choice as a JSON object", &cobra.Command{
		Use:   "set ID",
		Short: "Choose a hook's events, filter, rate and format",
		Long: "set changes what a hook gets beyond what its row in Label Studio says, and how. The change applies to the events\n" +
			"committed after it. Flags that are not given leave their values unchanged; none removes a value.\n\n" +
			"The filter is a CEL expression over the body, for example\n" +
			"annotation.completed_by != 5 && annotation.result.size() > 0: events for which it is false are not sent.\n" +
			"Requests that exceed the rate wait.",
		RunE: func(cmd *cobra.Command, args []string) error {
			edit := hook.Edit{Events: &events, Filter: &expression, Rate: &rate, Format: &format}
			for name, value := range map[string]**string{"events": &edit.Events, "filter": &edit.Filter, "rate": &edit.Rate, "format": &edit.Format} {
				if !cmd.Flags().Changed(name) {
					*value = nil
				}
			}
			if edit == (hook.Edit{}) {
				return usageError{errors.New("nothing to set: use --events, --filter, --rate or --format")}
			}
			if err := edit.Apply(&state.Choice{}); err != nil {
				return choiceError(err)
			}
			return a.onHook(func(ctx context.Context, c *control, h *hook.Hook) error { return c.setHook(ctx, h.ID, edit) })(cmd, args)
		},
	})
	flags := cmd.Flags()
	flags.StringVar(&events, "events", "", "events to add (+) and to remove (-), for example +TASK_COMPLETED,-TASK_CREATED")
	flags.StringVar(&expression, "filter", "", "CEL expression over the body, true for the events to send")
	flags.StringVar(&rate, "rate", "", "greatest number of requests per s, m or h, for example 10/s")
	flags.StringVar(&format, "format", "", "labelstudio, cloudevents or cloudevents-structured")
	return cmd
}

// choiceError shows the place of a filter's fault.
func choiceError(err error) error {
	if fault, ok := errors.AsType[*filter.SyntaxError](err); ok && fault.Marked() != "" {
		err = fmt.Errorf("%w\n%s", err, fault.Marked())
	}
	return usageError{err}
}

func (c *control) setHook(ctx context.Context, id int64, edit hook.Edit) error {
	var before, now state.Choice
	err := c.Store.Choose(ctx, id, func(choice *state.Choice) error {
		before = *choice
		err := edit.Apply(choice)
		now = *choice
		return err
	})
	if err != nil {
		return err
	}
	for _, action := range slices.Concat(now.Added, now.Removed) {
		if isNew := !slices.Contains(before.Added, action) && !slices.Contains(before.Removed, action); isNew {
			c.hint(action)
		}
	}
	chosen := struct {
		Hook int64 `json:"hook"`
		state.Choice
	}{id, now}
	return printAnswer(c.cmd, chosen, func() error {
		return printFacts(c.out, append([][2]string{{"hook", display.ID(id)}}, choiceFacts(now)...))
	})
}

func choiceFacts(c state.Choice) [][2]string {
	return [][2]string{
		{"events", cmp.Or(display.Printable(c.Events()), "as set in Label Studio")},
		{"filter", cmp.Or(display.Printable(c.Filter), "none")},
		{"rate", cmp.Or(display.Printable(c.Rate), "none")},
		{"format", cmp.Or(display.Printable(c.Format), "labelstudio")},
	}
}
