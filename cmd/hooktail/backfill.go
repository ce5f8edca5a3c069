package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/replay"
	"github.com/hooktail/hooktail/internal/wiring"
	"github.com/hooktail/hooktail/mapping"
)

func (a *app) backfillCommand() *cobra.Command {
	var o replay.BackfillOptions
	var action mapping.Action
	var since time.Time
	cmd := withJSON("print the result as a JSON object", &cobra.Command{
		Use:   "backfill --hook ID --project ID --action ACTION",
		Short: "Send a hook events made from existing rows",
		Long: "backfill makes the creation events of a project's rows and sends them to one hook, one at a time, in the order\n" +
			"of the rows' ids, with the header hooktail-origin: backfill. TASK_CREATED is made from tasks, PROJECT_CREATED\n" +
			"from projects, ANNOTATION_CREATED from annotations (ANNOTATION_UPDATED from skipped ones, if the hook wants\n" +
			"it). Rows do not show updates or deletions. An event keeps its webhook-id until its row changes.\n\n" +
			"A running hooktail continues meanwhile; there is no order between its events and these.",
		RunE: a.controls(func(ctx context.Context, c *control, _ []string) error {
			o.Config, o.Version, o.Parked, o.Mapping = c.cfg, version(), c.Parked, wiring.MappingOptions(c.cfg, c.Log)
			o.Mapping.CountShare = a.CountShare
			return c.backfill(ctx, o, action, since)
		}),
	})
	flags := cmd.Flags()
	flags.Int64Var(&o.Hook, "hook", 0, "hook to send to")
	flags.Int64Var(&o.Project, "project", 0, "project whose rows to send")
	flags.Var(oneOf(&action, slices.Concat(mapping.BackfillActions(), []mapping.Action{mapping.TasksCreated})...), "action", "event to make: TASK_CREATED, ANNOTATION_CREATED or PROJECT_CREATED")
	flags.Var(timeInto(&since, ""), "since", "only rows created since then: a duration such as 48h, or a time in RFC 3339")
	flags.Int64Var(&o.After, "after", 0, "only rows with a greater id, to continue an interrupted backfill")
	flags.Var(rateInto(&o.Every, "100/s"), "rate", "requests per s, m or h")
	flags.BoolVar(&o.DryRun, "dry-run", false, "print the number of events and send none")
	return cmd
}

func (c *control) backfill(ctx context.Context, o replay.BackfillOptions, action mapping.Action, since time.Time) (err error) {
	switch {
	case o.Hook == 0 || o.Project <= 0 || action == "":
		return usageError{errors.New("backfill takes a hook, a project and an action: --hook ID --project ID --action ACTION")}
	case o.After < 0:
		return usageError{fmt.Errorf("--after=%d: must be the id of a row", o.After)}
	}
	o.Rows, err = mapping.NewBackfill(c.Pool, o.Mapping, action, mapping.BackfillRows{Project: o.Project, After: o.After, Since: since})
	if err != nil {
		return err
	}
	o.Progress = c.rows
	b, err := replay.NewBackfill(ctx, o)
	if err != nil {
		return err
	}
	defer b.Close()
	if err := interrupted(ctx, b.Run(ctx)); err != nil {
		return fmt.Errorf("%w; delivered before that: %s; continue with %s", err, display.Count(b.Events, "event"), restFlags(b.Last, since))
	}
	result := backfilled{o.Hook, b.Events, b.Passed, b.Filtered, b.Last, o.DryRun}
	return printAnswer(c.cmd, result, func() error { return c.reportBackfill(result, o.Every) })
}

// restFlags returns the flags that select the remaining rows. They give the beginning as
// a time, since a duration would move it.
func restFlags(last int64, since time.Time) string {
	flags := fmt.Sprintf("--after %d", last)
	if !since.IsZero() {
		flags = "--since " + since.UTC().Format(time.RFC3339Nano) + " " + flags
	}
	return flags
}

// backfilled is the result of a backfill.
type backfilled struct {
	Hook     int64 `json:"hook"`
	Events   int   `json:"events"`   // delivered; with --dry-run, to be delivered
	Passed   int   `json:"passed"`   // rows without an event for the hook
	Filtered int   `json:"filtered"` // events that the hook's filter leaves out
	Last     int64 `json:"last"`     // id of the last row
	DryRun   bool  `json:"dry_run"`
}

func (c *control) reportBackfill(b backfilled, every time.Duration) error {
	if b.DryRun {
		took := display.Span(time.Duration(b.Events) * every)
		fmt.Fprintf(c.out, "hook %d would get %s, in at least %s", b.Hook, display.Count(b.Events, "event"), took)
	} else {
		fmt.Fprintf(c.out, "hook %d: %s delivered", b.Hook, display.Count(b.Events, "event"))
	}
	if b.Passed > 0 {
		fmt.Fprintf(c.out, "; %s skipped, without an event that the hook wants", display.Count(b.Passed, "row"))
	}
	if b.Filtered > 0 {
		fmt.Fprintf(c.out, "; %s left out by its filter", display.Count(b.Filtered, "event"))
	}
	_, err := fmt.Fprintf(c.out, "; the last row was %d\n", b.Last)
	return err
}

// interrupted returns err, or a short message if a person stopped the command.
func interrupted(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}
