package main

import (
	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/internal/demo"
)

func (a *app) demoCommand() *cobra.Command {
	var once bool
	var receiver string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show hooktail at work on a throwaway PostgreSQL",
		Long: "demo starts a throwaway PostgreSQL with Label Studio's tables and two webhooks, runs hooktail on it and replays\n" +
			"changes recorded from a real Label Studio: first all seven actions, then a receiver that is down for a while\n" +
			"and afterwards gets what it missed. It runs until Ctrl-C, and then removes everything that it created.\n\n" +
			"HOOKTAIL_HTTP_ADDR, HOOKTAIL_LOG_LEVEL and HOOKTAIL_SETTLE apply to the demo too; no variable is needed.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return demo.Run(cmd.Context(), demo.Options{
				Out: a.screen(), Err: a.stderr, Environ: a.environ, Version: version(), Tuning: a.Tuning,
				Log: newLogger, Mask: maskedURL, Once: once, Receiver: receiver,
			})
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "exit after the tour")
	cmd.Flags().Var(urlInto(&receiver), "receiver", "also send every event to this `URL`")
	return cmd
}
