package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/internal/repair"
)

func (a *app) repairCommand() *cobra.Command {
	var o repair.Options
	cmd := withJSON("print the gap and what was done as a JSON object", &cobra.Command{
		Use:   "repair",
		Short: "Repair a gap in the stream, and resend what the tables still show",
		Long: "repair shows which changes are missing, recreates publication and slot where necessary, and allows\n" +
			"`hooktail run` to start again, which refuses to start while there is a gap.\n\n" +
			"With --resend, events for rows that were created or updated in the gap are parked, with the rows' present\n" +
			"content and the header hooktail-origin: repair. The next run delivers them before all later events.\n" +
			"Deletions and intermediate states are lost: the tables do not show them.\n\n" +
			"In a copy of a database (a restored dump, a database made from a template) hooktail sends nothing parked\n" +
			"in the original until you have decided, since the original may send it too: --forget-parked for a copy\n" +
			"that exists beside the original, --keep-parked if the original is gone, as after a restore or pg_upgrade.",
		RunE: a.controls(func(ctx context.Context, c *control, _ []string) error {
			o.Config, o.Parked, o.Hooks, o.CountShare = c.cfg, c.Parked, c.hooks, a.CountShare
			o.Say = func(line string) {
				if !asJSON(c.cmd) {
					fmt.Fprintln(c.out, line)
				}
			}
			o.Progress = c.rows
			facts, err := repair.Run(ctx, o)
			if err != nil {
				return err
			}
			return printAnswer(c.cmd, facts, func() error { return nil }) // it has said everything
		}),
	})
	cmd.Flags().BoolVar(&o.Resend, "resend", false, "send events for rows created or updated in the gap")
	cmd.Flags().Var(timeInto(&o.Since, ""), "since", "beginning of the gap, if it is unknown: a duration before now, or a time in RFC 3339")
	cmd.Flags().BoolVar(&o.Keep, "keep-parked", false, "in a copy: send the original's parked deliveries")
	cmd.Flags().BoolVar(&o.Forget, "forget-parked", false, "in a copy: delete the original's parked and dead deliveries")
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "print what would be done, and change nothing")
	return cmd
}
