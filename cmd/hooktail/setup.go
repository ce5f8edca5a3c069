package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/setup"
	"github.com/hooktail/hooktail/internal/wiring"
)

func (a *app) setupCommand() *cobra.Command {
	var print bool
	var extras setup.Extras
	kind := wiring.IdentityFull
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Create publication, replica identity, schema and slot; repeatable",
		RunE: a.configured(func(cmd *cobra.Command, cfg config.Config) error {
			return a.setUpOrPrint(cmd.Context(), cfg, kind, extras, print)
		}),
	}
	cmd.Flags().BoolVar(&print, "print", false, "print the SQL, and commands for NATS, instead of running it")
	cmd.Flags().BoolVar(&extras.CustomEvents, "custom-events", false, "also create the function emit, with which sessions send their own events")
	cmd.Flags().BoolVar(&extras.TaskEvents, "task-events", false, "also set REPLICA IDENTITY FULL on tasks, for TASK_COMPLETED and TASK_REOPENED; says what that costs")
	cmd.Flags().Var(oneOf(&kind, wiring.IdentityFull, wiring.IdentityDefault), "identity", "full: set REPLICA IDENTITY FULL where deletions need it; default: leave the tables alone")
	return cmd
}

// sayCost prints what task events cost the database, as a comment of the SQL. nil: there
// are none.
func (a *app) sayCost(cfg config.Config, cost *state.OldRows) {
	if cost == nil {
		return
	}
	fmt.Fprintf(a.stdout, "-- With REPLICA IDENTITY FULL, each update and deletion of a row of %s.%s also writes the old row to the WAL: %s\n"+
		"-- on average for the newest %s. ", cfg.SourceSchema, cfg.TaskTable, display.Size(cost.Average), display.Count(cost.Sampled, "row"))
	if cost.Days > 0 {
		fmt.Fprintf(a.stdout, "In the last %.1f days there were %d: %s.\n", cost.Days, cost.Writes, display.Size(cost.Writes*cost.Average))
	} else {
		fmt.Fprintf(a.stdout, "There were %d so far: %s.\n", cost.Writes, display.Size(cost.Writes*cost.Average))
	}
}

// setUpOrPrint asks the database for its version in both cases: what setup does depends
// on it.
func (a *app) setUpOrPrint(ctx context.Context, cfg config.Config, kind wiring.Identity, extras setup.Extras, print bool) error {
	conn, err := wiring.Connect(ctx, cfg)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	plan := extras.Plan(wiring.PlanOf(cfg, kind), cfg)
	if print {
		version, err := cdc.VersionOf(ctx, conn.PgConn())
		if err != nil {
			return err
		}
		cost, err := extras.OldRows(ctx, conn, cfg)
		if err != nil {
			return err
		}
		log, err := setup.LogCommands(cfg)
		if err != nil {
			return err
		}
		a.sayCost(cfg, cost)
		for _, statement := range slices.Concat(state.Statements(cfg.StateSchema), cdc.Statements(plan, version), extras.Statements(cfg), log) {
			if _, err := fmt.Fprintln(a.stdout, statement); err != nil {
				return fmt.Errorf("print SQL: %w", err)
			}
		}
		return nil
	}
	if err := setup.RefuseGap(ctx, conn, cfg); err != nil {
		return err
	}
	lacks, err := extras.Lacks(ctx, conn, cfg)
	if err != nil {
		return err
	}
	if err := setup.Check(ctx, conn, cfg, plan, lacks...); err != nil {
		return err
	}
	cost, err := extras.OldRows(ctx, conn, cfg)
	if err != nil {
		return err
	}
	a.sayCost(cfg, cost)
	log, err := setup.CreateLog(ctx, cfg, conn) // before the slot: what it brings has somewhere to go
	if err != nil {
		return err
	}
	begun, err := setup.DatabaseTime(ctx, conn)
	if err != nil {
		return err
	}
	result, migrated, err := setup.Install(ctx, conn, cfg, plan, func(step string) { fmt.Fprintln(a.stdout, step) })
	if err != nil {
		return err
	}
	if result.SlotCreated {
		if err := setup.Remember(ctx, conn, cfg, begun); err != nil {
			return err
		}
		if err := setup.SeedHooks(ctx, conn, cfg); err != nil {
			return err
		}
	}
	extra, err := extras.Install(ctx, conn, cfg, result, func(step string) { fmt.Fprintln(a.stdout, step) })
	if err != nil {
		return err
	}
	if migrated != "" {
		fmt.Fprintln(a.stdout, "-- "+migrated)
	}
	if len(result.Late) > 0 {
		fmt.Fprintf(a.stderr, "hooktail: warning: %s: slot %s, tables %v\n", setup.LateWarning, cfg.Slot, result.Late)
	}
	if err := state.CheckCopy(ctx, conn, cfg.StateSchema); err != nil {
		fmt.Fprintf(a.stderr, "hooktail: warning: %v\n", err)
	}
	if len(result.Steps) == 0 && migrated == "" && len(extra) == 0 {
		fmt.Fprintln(a.stdout, "-- nothing to do: everything exists")
	}
	for _, stream := range log {
		fmt.Fprintf(a.stdout, "-- stream %s in NATS: %d messages\n", stream.Name, stream.Messages)
	}
	if result.Confirmed == 0 { // it waits for transactions that are open
		fmt.Fprintf(a.stdout, "-- slot %s is being created by another setup\n", cfg.Slot)
		return nil
	}
	fmt.Fprintf(a.stdout, "-- slot %s is at %s: `hooktail run` delivers all later changes\n", cfg.Slot, result.Confirmed)
	return nil
}
