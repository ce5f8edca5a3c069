package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/postgres"
	"github.com/hooktail/hooktail/internal/relay"
	"github.com/hooktail/hooktail/internal/repair"
)

// Exit codes of all commands.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // invalid command line or configuration
	exitGap    = 3 // changes are missing from the stream, or the database is a copy: run `hooktail repair`
)

// app holds what the commands share.
type app struct {
	stdout, stderr io.Writer
	environ        []string // in the form of os.Environ

	relay.Tuning
}

// usageError is an error in the command line or the configuration.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// execute runs a command line, prints its error once to stderr, and returns the exit
// code.
func (a *app) execute(ctx context.Context, args []string) int {
	root := a.root()
	out := &printed{Writer: a.stdout}
	root.SetOut(out)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		err = out.err
	}
	if err != nil {
		fmt.Fprintf(a.stderr, "hooktail: %v%s\n", err, remedy(err))
	}
	return exitCode(err)
}

// printed remembers the first error: cobra prints help and drops it.
type printed struct {
	io.Writer
	err error
}

func (o *printed) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if o.err == nil {
		o.err = err
	}
	return n, err //nolint:wrapcheck // a writer
}

// remedy returns what a person must do about an error of the database, after a colon; ""
// if the error says it, or if nothing is known.
func remedy(err error) string {
	const readOnly = "25006" // every session asks for transactions that write
	text := postgres.Remedy(err)
	if postgres.Code(err) == readOnly {
		text = "the server is a standby: name the primary in HOOKTAIL_DATABASE_URL, or all servers and target_session_attrs=read-write"
	}
	if is[*cdc.Fault](err) || is[*state.SchemaError](err) || text == "" {
		return ""
	}
	return ": " + text
}

// is reports whether err, or an error that it wraps, is an E.
func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func exitCode(err error) int {
	switch {
	case err == nil:
		return exitDone
	case is[usageError](err), is[*config.Error](err), is[repair.ChoiceError](err):
		return exitUsage
	case is[*cdc.Gap](err), is[*state.CopyError](err):
		return exitGap
	default:
		return exitFailed
	}
}

// root returns the command tree. Without a command, hooktail runs the command run.
func (a *app) root() *cobra.Command {
	runCommand := a.runCommand()
	var showVersion bool
	root := &cobra.Command{
		Use:   "hooktail",
		Short: "Deliver Label Studio's webhooks from its PostgreSQL",
		Long: "hooktail reads the logical replication stream of Label Studio's PostgreSQL and delivers the webhooks\n" +
			"configured in the same database. Without a command it is `hooktail run`.\n\n" +
			"It is configured by environment variables: see `hooktail help environment`.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if showVersion {
				return a.printVersion()
			}
			return runCommand.RunE(cmd, args)
		},
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetOut(a.stdout) // before the completion command reads it
	root.SetErr(a.stderr)
	root.Flags().AddFlagSet(runCommand.Flags())
	root.Flags().BoolVar(&showVersion, "version", false, "print the version")
	root.AddCommand(runCommand, a.setupCommand(), a.teardownCommand(), a.doctorCommand(), a.tailCommand(), a.statusCommand(), a.hooksCommand(), a.deliveriesCommand(),
		a.backfillCommand(), a.replayCommand(), a.repairCommand(), a.demoCommand(), a.versionCommand(), environmentTopic())
	root.AddCommand(a.receiverCommand(), a.healthcheckCommand(), a.manCommand())
	a.finish(root)
	return root
}

// config loads the configuration; its errors are usage errors.
func (a *app) config() (config.Config, error) {
	cfg, err := config.Load(a.environ)
	if err != nil {
		return cfg, usageError{fmt.Errorf("configuration:\n%w", err)}
	}
	return cfg, nil
}

func (a *app) configured(f func(cmd *cobra.Command, cfg config.Config) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		cfg, err := a.config()
		if err != nil {
			return err
		}
		return f(cmd, cfg)
	}
}

func newLogger(cfg config.Config, out io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel, ReplaceAttr: concise}
	if cfg.LogFormat == config.LogJSON {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}

// concise shortens errors of failed connections, which pgx writes in several lines.
func concise(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindAny {
		if err, ok := a.Value.Any().(error); ok && err != nil {
			a.Value = slog.StringValue(cdc.Concise(err).Error())
		}
	}
	return a
}
