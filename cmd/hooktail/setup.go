package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
)

// identity says what setup does to the tables' REPLICA IDENTITY.
type identity string

const (
	identityFull    identity = "full"    // deletions say all that they need
	identityDefault identity = "default" // the tables stay as they are
)

func (a *app) setupCommand() *cobra.Command {
	var print bool
	choice := string(identityFull)
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Make publication, replica identity and slot; may be repeated",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			kind := identity(choice)
			if kind != identityFull && kind != identityDefault {
				return usageError{fmt.Errorf("--identity=%s: it is full or default", choice)}
			}
			cfg, err := a.config()
			if err != nil {
				return err
			}
			return a.setUpOrPrint(cmd.Context(), cfg, kind, print)
		},
	}
	cmd.Flags().BoolVar(&print, "print", false, "print the SQL instead of running it")
	cmd.Flags().StringVar(&choice, "identity", choice, "full: set REPLICA IDENTITY FULL where deletions need it; default: leave the tables alone")
	return cmd
}

// setUpOrPrint asks the database for its version either way: what setup does
// depends on it.
func (a *app) setUpOrPrint(ctx context.Context, cfg config.Config, kind identity, print bool) error {
	conn, err := connect(ctx, cfg)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	plan := planOf(cfg, kind)
	if print {
		version, err := cdc.ServerVersion(ctx, conn)
		if err != nil {
			return err
		}
		for _, statement := range cdc.Statements(plan, version) {
			fmt.Fprintln(a.stdout, statement)
		}
		return nil
	}
	result, err := cdc.Setup(ctx, conn, plan, func(step string) { fmt.Fprintln(a.stdout, step) })
	if err != nil {
		return err
	}
	fmt.Fprintln(a.stdout, result)
	return nil
}

// planOf is what hooktail needs of the database.
func planOf(cfg config.Config, kind identity) cdc.Plan {
	full := kind == identityFull
	table := func(name string, full bool) cdc.Table {
		return cdc.Table{Schema: cfg.SourceSchema, Name: name, IdentityFull: full}
	}
	return cdc.Plan{
		Slot:        cfg.Slot,
		Publication: cfg.Publication,
		Tables: []cdc.Table{
			table(cfg.ProjectTable, full),
			// The Data Manager clears a task's project in a transaction of its
			// own before it deletes the task, and only the native profile tells
			// of deleted tasks.
			table(cfg.TaskTable, full && cfg.Profile == config.Native),
			table(cfg.AnnotationTable, full),
			table(cfg.WebhookTable, false),
			table(cfg.WebhookActionTable, false),
		},
		Failover: true,
	}
}

// connect opens one ordinary connection.
func connect(ctx context.Context, cfg config.Config) (*pgx.Conn, error) {
	options, err := pgx.ParseConfig(cfg.DatabaseURL.Reveal())
	if err != nil {
		return nil, errBadURL
	}
	conn, err := pgx.ConnectConfig(ctx, options)
	if err != nil {
		return nil, cdc.Explain(err)
	}
	return conn, nil
}

// errBadURL says nothing of what pgx found: its error may quote the URL. The
// configuration was checked with a message of its own.
var errBadURL = usageError{errors.New("HOOKTAIL_DATABASE_URL has a setting that is not understood")}

func (a *app) teardownCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "teardown",
		Short: "Remove slot, publication and replica identity: every trace",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.config()
			if err != nil {
				return err
			}
			conn, err := connect(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			defer conn.Close(context.WithoutCancel(cmd.Context()))
			return cdc.Teardown(cmd.Context(), conn, planOf(cfg, identityFull), func(step string) { fmt.Fprintln(a.stdout, step) })
		},
	}
}

var _ = slog.LevelInfo
