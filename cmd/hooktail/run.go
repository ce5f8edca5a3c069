package main

import (
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/internal/relay"
)

func (a *app) runCommand() *cobra.Command {
	var setup bool
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Deliver webhooks until stopped (the default command)",
		RunE: a.configured(func(cmd *cobra.Command, cfg config.Config) error {
			signal.Ignore(syscall.SIGPIPE) // whoever reads the log may end first
			return relay.Run(cmd.Context(), relay.Options{Config: cfg, Log: newLogger(cfg, a.stderr), Version: version(), Setup: setup, Tuning: a.Tuning})
		}),
	}
	cmd.Flags().BoolVar(&setup, "setup", false, "create what is missing first, as hooktail setup does")
	return cmd
}
