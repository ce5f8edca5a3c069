package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/replay"
	"github.com/hooktail/hooktail/internal/setup"
)

func (a *app) replayCommand() *cobra.Command {
	var want replay.LogOptions
	cmd := withJSON("print the result as a JSON object", &cobra.Command{
		Use:   "replay --hook ID --since TIME",
		Short: "Send a hook events of the log again",
		Long: "replay reads what the log has kept for HOOKTAIL_KEEP and sends one hook its events again, updates and\n" +
			"deletions too: one at a time, in the order of the log, with the same webhook-id and body and the header\n" +
			"hooktail-origin: replay. URL, headers, signature and format are those that the hook has now; events that it\n" +
			"does not want any more are skipped.\n\n" +
			"A running hooktail continues meanwhile; there is no order between its events and these.",
		RunE: a.controls(func(ctx context.Context, c *control, _ []string) error {
			if want.Hook == 0 || want.Since.IsZero() {
				return usageError{errors.New("replay takes a hook and a time: --hook ID --since TIME")}
			}
			c.hint(want.Action)
			return c.replay(ctx, want)
		}),
	})
	flags := cmd.Flags()
	flags.Int64Var(&want.Hook, "hook", 0, "hook to send to")
	flags.Var(timeInto(&want.Since, ""), "since", "only events committed since then: a duration such as 48h, or a time in RFC 3339")
	flags.Var(timeInto(&want.Until, ""), "until", "only events committed before then, likewise")
	flags.Int64Var(&want.Project, "project", 0, "only events of this project")
	flags.Var(actionInto(&want.Action), "action", "only events of this action")
	flags.Uint64Var(&want.After, "after", 0, "only messages behind this position of the log, to continue an interrupted replay")
	flags.Var(rateInto(&want.Every, "100/s"), "rate", "requests per s, m or h")
	flags.BoolVar(&want.DryRun, "dry-run", false, "print the number of events and send none")
	return cmd
}

func (c *control) replay(ctx context.Context, want replay.LogOptions) error {
	if err := replay.CheckKeep(c.cfg); err != nil {
		return err
	}
	log, err := setup.OpenLog(c.cfg)
	if err != nil {
		return err
	}
	defer log.Close()
	want.Config, want.Version, want.Parked, want.Log = c.cfg, version(), c.Parked, log
	want.Progress = func(total int64) replay.Progress {
		return display.NewProgress(c.err, total, "messages", "position", time.Now())
	}
	r, err := replay.NewFromLog(ctx, want)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := interrupted(ctx, r.Run(ctx)); err != nil {
		return fmt.Errorf("%w; delivered before that: %s; continue with %s", err, display.Count(r.Events, "event"), r.Rest())
	}
	return printAnswer(c.cmd, r.Result(), func() error {
		_, err := fmt.Fprintln(c.out, r.Result())
		return err
	})
}
