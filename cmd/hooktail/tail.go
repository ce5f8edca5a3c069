package main

import (
	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/internal/tail"
)

func (a *app) tailCommand() *cobra.Command {
	const labelStudio = "labelstudio"
	format := labelStudio
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Print events as JSON lines from now on, without delivering them",
		Long: "tail reads a temporary slot of its own, so a running hooktail is not disturbed. It prints each event with its\n" +
			"payload, whether or not a hook wants it. It needs the publication, which hooktail setup creates.",
		RunE: a.configured(func(cmd *cobra.Command, cfg config.Config) error {
			return tail.Run(cmd.Context(), tail.Options{
				Config: cfg, Log: newLogger(cfg, a.stderr), Out: a.stdout, CloudEvents: format != labelStudio,
				StatusInterval: a.StatusInterval, StreamTimeout: a.StreamTimeout, CountShare: a.CountShare,
			})
		}),
	}
	cmd.Flags().Var(oneOf(&format, labelStudio, string(hook.CloudEvents), string(hook.CloudEventsStructured)), "format", "form of a line: labelstudio, or cloudevents (a CloudEvent in JSON)")
	return cmd
}
