package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
)

// The exit codes of every command.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // the command line or the configuration
	exitGap    = 3 // changes are missing from the stream
)

// app is the program: what its commands share.
type app struct {
	stdout, stderr io.Writer
	environ        []string // in the form of os.Environ

	tuning
}

// tuning is what tests change. A zero stands for the default.
type tuning struct {
	statusInterval time.Duration // of the stream
	streamTimeout  time.Duration // of the stream
	beatEvery      time.Duration // of the heartbeat
	countShare     float64       // of the mapping
	dueLimit       time.Duration // of the readiness
	guest          bool          // in a process that is not its own to limit
}

// usageError is a fault of the command line or the configuration.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// execute runs one command line and says what went wrong, once, on stderr.
func (a *app) execute(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	err := root.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintf(a.stderr, "hooktail: %v\n", err)
	}
	return exitCode(err)
}

func exitCode(err error) int {
	var usage usageError
	var gap *cdc.Gap
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &gap):
		return exitGap
	default:
		return exitFailed
	}
}

// root is the command tree. Without a command hooktail runs.
func (a *app) root() *cobra.Command {
	runCommand := a.runCommand()
	root := &cobra.Command{
		Use:   "hooktail",
		Short: "Deliver Label Studio's webhooks from its PostgreSQL",
		Long: "hooktail tails the logical replication of Label Studio's PostgreSQL and delivers the webhooks\n" +
			"that are configured in the same database. Without a command it runs.\n\n" +
			"The configuration is the environment: see `hooktail help environment`.",
		RunE:          runCommand.RunE,
		Args:          noArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.Flags().AddFlagSet(runCommand.Flags())
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(runCommand, a.setupCommand(), a.teardownCommand(), a.doctorCommand(), a.tailCommand(), a.statusCommand(), a.hooksCommand(), a.deliveriesCommand(),
		a.backfillCommand(), a.repairCommand(), a.demoCommand(), a.versionCommand(), environmentTopic())
	root.AddCommand(a.receiverCommand(), a.healthcheckCommand(), a.manCommand())
	return root
}

// noArgs refuses arguments, which on the root command are unknown commands.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !cmd.HasParent() {
		return usageError{fmt.Errorf("unknown command %q: see `hooktail help`", args[0])}
	}
	return usageError{fmt.Errorf("%s takes no argument, got %q", cmd.CommandPath(), args[0])}
}

// config loads the configuration; its faults are usage errors.
func (a *app) config() (config.Config, error) {
	cfg, err := config.Load(a.environ)
	if err != nil {
		return cfg, usageError{fmt.Errorf("configuration:\n%w", err)}
	}
	return cfg, nil
}

// logger writes to stderr as the configuration says.
func (a *app) logger(cfg config.Config) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == config.LogJSON {
		return slog.New(slog.NewJSONHandler(a.stderr, options))
	}
	return slog.New(slog.NewTextHandler(a.stderr, options))
}
