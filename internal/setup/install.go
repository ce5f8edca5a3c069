package setup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/wiring"
)

// Check makes sure, before anything is changed, that the role may create everything in
// the plan and hooktail's own tables; besides is what else it lacks.
func Check(ctx context.Context, conn *pgx.Conn, cfg config.Config, plan cdc.Plan, besides ...cdc.Lack) error {
	if err := refuseShared(ctx, conn, cfg); err != nil {
		return err
	}
	what, mend, newSchema, err := state.MigrationLacks(ctx, conn, cfg.StateSchema)
	if err != nil {
		return err
	}
	if what != "" {
		besides = append(besides, cdc.Lack{What: what, Mend: mend})
	}
	if newSchema {
		lacks, err := cdc.MayCreate(ctx, conn)
		if err != nil {
			return err
		}
		besides = append(besides, lacks...)
	}
	own := wiring.OwnTable(cfg)
	if err := cdc.CheckTables(ctx, conn, []cdc.Table{own}); err != nil { // Install creates it
		plan.Tables = slices.DeleteFunc(slices.Clone(plan.Tables), func(t cdc.Table) bool { return t == own })
	}
	return cdc.CheckSetup(ctx, conn, plan, besides...)
}

// refuseShared returns a *cdc.Fault if hooktail's own tables serve another Label Studio in the
// database: each hooktail would send the other's parked deliveries to its own hooks. One that
// has begun already may go on, and be repaired; doctor reports it.
func refuseShared(ctx context.Context, conn *pgx.Conn, cfg config.Config) error {
	positions := state.NewPositions(conn, cfg.StateSchema, cfg.Slot)
	known, err := positions.Read(ctx)
	if err != nil || known != nil {
		return nil //nolint:nilerr // without the table there is no other, and setup reports what the role lacks
	}
	slots, err := positions.Strangers(ctx, wiring.Webhooks(cfg))
	if err != nil || len(slots) == 0 {
		return err
	}
	return &cdc.Fault{
		Reason: cdc.StateShared, What: fmt.Sprintf("the tables in schema %q serve another Label Studio, by slot %q", cfg.StateSchema, slots[0]),
		Mend: "set HOOKTAIL_STATE_SCHEMA to a schema for this one",
	}
}

// LateWarning is about tables that a slot is older than.
const LateWarning = "the slot is older than the publication of these tables: their changes up to now are missing from it"

// Install creates what is missing from the plan. It creates hooktail's own tables after
// the checks of the plan, so that none are created in a database that is not Label
// Studio's, and before one of them is published.
func Install(ctx context.Context, conn *pgx.Conn, cfg config.Config, plan cdc.Plan, log func(step string)) (cdc.Result, string, error) {
	own := wiring.OwnTable(cfg)
	isOwn := func(t cdc.Table) bool { return t == own }
	first := plan
	first.Slot, first.Tables = "", slices.DeleteFunc(slices.Clone(plan.Tables), isOwn)
	before, err := cdc.Setup(ctx, conn, first, log)
	if err != nil {
		return cdc.Result{}, "", err
	}
	migrated, err := migrate(ctx, conn, cfg.StateSchema)
	if err != nil {
		return cdc.Result{}, "", err
	}
	result, err := cdc.Setup(ctx, conn, plan, log)
	if migrated != "" {
		result.Late = slices.DeleteFunc(result.Late, isOwn) // a new table: no change is missing
	}
	switch {
	case plan.Slot != "" && result.Confirmed == 0:
		result.Late = nil // another setup is creating the slot, which begins later
	case !result.SlotCreated:
		result.Late = append(before.Late, result.Late...)
	}
	result.Steps = append(before.Steps, result.Steps...)
	return result, migrated, err
}

// migrate creates or migrates hooktail's own tables and describes what it did; "" if
// there was nothing to do.
func migrate(ctx context.Context, conn *pgx.Conn, schema string) (string, error) {
	before, err := state.Version(ctx, conn, schema)
	if err != nil {
		return "", err
	}
	if err := state.Migrate(ctx, conn, schema); err != nil {
		return "", err
	}
	if before == state.Newest() {
		return "", nil
	}
	return fmt.Sprintf("tables in schema %q: version %d, from %d", schema, state.Newest(), before), nil
}

// FreshSlot is a slot that was just created. Its snapshot, the state of the database
// where the slot begins, can be read until Close.
type FreshSlot struct {
	conn     *pgconn.PgConn
	Snapshot string
}

// Close ends the snapshot. The slot remains.
func (f *FreshSlot) Close(ctx context.Context) { f.conn.Close(context.WithoutCancel(ctx)) }

// ForRun creates what is missing before a run. It returns nil if the slot exists already.
func ForRun(ctx context.Context, cfg config.Config, log *slog.Logger) (*FreshSlot, error) {
	plan := wiring.PlanOf(cfg, wiring.IdentityFull)
	conn, err := wiring.Connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := RefuseGap(ctx, conn, cfg); err != nil {
		return nil, err
	}
	if err := Check(ctx, conn, cfg, plan); err != nil {
		return nil, err
	}
	tables := plan
	tables.Slot = ""
	result, migrated, err := Install(ctx, conn, cfg, tables, func(step string) { log.Info("setup", "sql", step) })
	if err != nil {
		return nil, err
	}
	if migrated != "" {
		log.Info("setup", "tables", migrated)
	}
	options, err := wiring.Replication(cfg)
	if err != nil {
		return nil, err
	}
	options.RuntimeParams["replication"] = "database"
	slot, err := pgconn.ConnectConfig(ctx, options)
	if err != nil {
		return nil, cdc.Explain(err, options)
	}
	fresh := &FreshSlot{conn: slot}
	begun, err := DatabaseTime(ctx, conn)
	if err == nil {
		var at cdc.LSN
		if fresh.Snapshot, at, err = cdc.CreateSlotWithSnapshot(ctx, slot, plan.Slot, plan.Failover); err == nil {
			log.Info("setup", "slot", plan.Slot, "from", at)
			err = Remember(ctx, conn, cfg, begun)
		}
	}
	if err == nil {
		return fresh, nil
	}
	fresh.Close(ctx)
	if !errors.Is(err, cdc.ErrSlotExists) {
		return nil, err
	}
	if len(result.Late) > 0 {
		log.Warn(LateWarning, "slot", plan.Slot, "tables", result.Late)
	}
	return nil, nil
}
