package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/display"
)

const slotCatalog = "pg_catalog.pg_replication_slots"

// lookAtSlot reports whether the slot can be read, its reader, and how close it is to
// being lost.
func lookAtSlot(ctx context.Context, x *examination) ([]Finding, error) {
	slot, err := cdc.CheckSlot(ctx, x.conn.PgConn(), x.Config.Slot)
	if gap, ok := errors.AsType[*cdc.Gap](err); ok {
		return one(Failure, gap.Error(), "The changes since are missing from the stream: hooktail does not run, since it never skips changes silently.", mendGap), nil
	}
	if err != nil {
		return x.gone(ctx, err, "It retains the changes until they are delivered.")
	}
	disk, err := cdc.ReadDisk(ctx, x.conn, x.Config.Slot)
	if err != nil {
		return nil, err
	}
	state := fmt.Sprintf("slot %q retains %s of WAL, %s of it not confirmed", slot.Name, display.Size(disk.Retained), display.Size(int64(disk.End-min(disk.Confirmed, disk.End))))
	if slot.ActivePID == "" {
		state += "; not in use now"
		if since := x.inactive(ctx); since > 0 {
			state += fmt.Sprintf(", since %s", display.Span(since))
		}
	} else {
		state += "; read by server process " + slot.ActivePID
	}
	mend := "start hooktail, or find out why it makes no progress: `curl http://127.0.0.1:8484/readyz`, the log, and transactions above"
	switch {
	case slot.WALStatus == "unreserved":
		return one(Warning, state+"; the next checkpoint may remove it", "The slot exceeds max_slot_wal_keep_size. When its WAL is removed, the slot and its changes are lost.", mend), nil
	case disk.Safe != cdc.NoLimit && disk.Retained > disk.Safe:
		return one(Warning, fmt.Sprintf("%s; %s are left until it is lost", state, display.Size(disk.Safe)), "More than half of what the slot may retain is used. Losing the slot means losing changes.", mend), nil
	case disk.Safe == cdc.NoLimit:
		return fine("%s", state), nil
	}
	return fine("%s; %s are left", state, display.Size(disk.Safe)), nil
}

// lookAtOtherSlots reports slots of hooktails with another HOOKTAIL_SLOT.
func lookAtOtherSlots(ctx context.Context, x *examination) (found []Finding, _ error) {
	positions := state.NewPositions(x.conn, x.Config.StateSchema, x.Config.Slot)
	strangers, err := positions.Strangers(ctx, state.Table{Schema: x.Config.SourceSchema, Name: x.Config.WebhookTable})
	if err != nil {
		return nil, err
	}
	slots, err := positions.Others(ctx)
	for _, slot := range slots {
		if slices.Contains(strangers, slot) {
			found = append(found, one(Failure, fmt.Sprintf("the tables in schema %q also serve another Label Studio, by slot %q", x.Config.StateSchema, slot),
				"They know a hook by its id alone: what is parked for a hook of the one is sent to the hook of the other that has the same id.",
				"set HOOKTAIL_STATE_SCHEMA to a schema for each Label Studio, and run hooktail setup there")...)
			continue
		}
		found = append(found, one(Warning, fmt.Sprintf("hooktail has read slot %q of this database, too", slot),
			"A second hooktail sends every event a second time. A slot that nobody reads fills the database's disk.",
			fmt.Sprintf("SELECT pg_drop_replication_slot('%s'); -- when the hooktail that reads it has been stopped", slot))...)
	}
	return found, err
}

// gone is faults for things that may have existed before: since setup must not recreate
// them silently, it returns the remedy for the gap.
func (x *examination) gone(ctx context.Context, err error, why string) ([]Finding, error) {
	found, other := faults(err, why)
	fault, ok := errors.AsType[*cdc.Fault](err)
	if !ok {
		return found, other
	}
	if memory, err := x.memory(ctx); err == nil && memory != nil {
		switch fault.Reason {
		case cdc.SlotMissing, cdc.PublicationMissing, cdc.PublicationIncomplete, cdc.PublicationNarrowed, cdc.OperationsMissing:
			found[0].Mend = mendGap
		}
	}
	return found, other
}

// memory returns what hooktail has recorded of the slot, or nil.
func (x *examination) memory(ctx context.Context) (*cdc.Memory, error) {
	return state.NewPositions(x.conn, x.Config.StateSchema, x.Config.Slot).Read(ctx)
}

// mendGap is the remedy for missing changes.
const mendGap = "hooktail repair --resend # as the owner of the tables; first with --dry-run"

// inactive returns the time for which the slot has not been read, 0 if the server does
// not show it.
func (x *examination) inactive(ctx context.Context) time.Duration {
	var since *time.Time
	if err := x.value(ctx, "SELECT (to_jsonb(s)->>'inactive_since')::timestamptz FROM "+slotCatalog+" s WHERE slot_name = $1", []any{x.Config.Slot}, &since); err != nil || since == nil {
		return 0
	}
	return x.Now().Sub(*since)
}

// lookAtFailover reports what a promotion does to the slot. Only standbys that use a slot
// are visible.
func lookAtFailover(ctx context.Context, x *examination) ([]Finding, error) {
	var standbys int
	var failover *bool
	err := x.value(ctx, `SELECT (SELECT count(*) FROM `+slotCatalog+` WHERE slot_type = 'physical' AND NOT temporary), (to_jsonb(s)->>'failover')::boolean
		FROM `+slotCatalog+` s WHERE slot_name = $1`, []any{x.Config.Slot}, &standbys, &failover)
	if errors.Is(err, pgx.ErrNoRows) {
		return fine("there is no slot yet"), nil
	}
	if err != nil {
		return nil, err
	}
	const why = "After a promotion the slot is missing or behind. hooktail then stops with exit code 3 and reports which changes are missing."
	if x.version < version17 {
		if standbys == 0 {
			return fine("no standby has a slot"), nil
		}
		return one(Warning, fmt.Sprintf("there are standbys (%d), and PostgreSQL %d does not synchronize the slot to them", standbys, x.version/10000), why,
			"after a promotion: `hooktail repair --resend`; or upgrade to PostgreSQL 17"), nil
	}
	if failover == nil || !*failover {
		severity := Note
		if standbys > 0 {
			severity = Warning
		}
		return one(severity, fmt.Sprintf("slot %q is not synchronized to standbys (failover is false)", x.Config.Slot), why,
			fmt.Sprintf(`psql "dbname=… replication=database" -c 'ALTER_REPLICATION_SLOT %s (FAILOVER true)' # while hooktail is stopped`, pgx.Identifier{x.Config.Slot}.Sanitize())), nil
	}
	return x.standbys(ctx, standbys, why)
}

// standbys checks the settings of the primary for its standbys. Settings of the standbys
// are not visible from here.
func (x *examination) standbys(ctx context.Context, standbys int, why string) ([]Finding, error) {
	var synchronized string
	if err := x.value(ctx, "SELECT current_setting('synchronized_standby_slots', true)", nil, &synchronized); err != nil {
		return nil, err
	}
	if standbys == 0 || synchronized != "" {
		return fine("the slot is synchronized to standbys that have sync_replication_slots = on, hot_standby_feedback = on and a dbname in primary_conninfo"), nil
	}
	var name string
	if err := x.value(ctx, "SELECT min(slot_name) FROM "+slotCatalog+" WHERE slot_type = 'physical' AND NOT temporary", nil, &name); err != nil {
		return nil, err
	}
	return one(Warning, fmt.Sprintf("there are standbys (%d), and synchronized_standby_slots is empty", standbys),
		"hooktail may then deliver changes that no standby has. "+why,
		fmt.Sprintf("ALTER SYSTEM SET synchronized_standby_slots = '%s'; SELECT pg_reload_conf(); -- and on the standby: sync_replication_slots = on, hot_standby_feedback = on, a dbname in primary_conninfo", name)), nil
}

// lookAtPosition compares what hooktail has recorded of its slot with the server.
func lookAtPosition(ctx context.Context, x *examination) ([]Finding, error) {
	memory, err := x.memory(ctx)
	if err != nil {
		return nil, err
	}
	if memory == nil {
		return fine("nothing has been read yet"), nil
	}
	if x.systemID != "" && memory.SystemID != x.systemID {
		return one(Failure, fmt.Sprintf("this is another server: its system identifier is %s, that of the last run was %s", x.systemID, memory.SystemID),
			"Transactions committed there and not read are missing.", mendGap), nil
	}
	return nil, nil
}

// small is the least that a slot should be able to retain.
const small = 256 << 20

// lookAtKeepSize compares the bound on what slots retain with what the server writes.
func lookAtKeepSize(ctx context.Context, x *examination) ([]Finding, error) {
	var limit int64 // bytes; negative: unlimited
	var written int64
	var text string
	var since time.Duration
	err := x.value(ctx, `SELECT pg_catalog.pg_size_bytes(CASE WHEN setting = '-1' THEN '-1' ELSE setting || unit END), current_setting('max_slot_wal_keep_size')
		FROM pg_catalog.pg_settings WHERE name = 'max_slot_wal_keep_size'`, nil, &limit, &text)
	if err != nil {
		return nil, err
	}
	sizing := "Choose the amount of WAL that the server writes in the longest time that hooktail may be down, and less than the free disk space."
	if err := x.value(ctx, `SELECT (wal_bytes / greatest(extract(epoch FROM now() - stats_reset), 1) * 86400)::bigint, now() - stats_reset
		FROM pg_catalog.pg_stat_wal`, nil, &written, &since); err == nil && since > time.Hour {
		sizing += fmt.Sprintf(" In the last %s it wrote %s a day on average.", display.Span(since), display.Size(written))
	}
	const set = "ALTER SYSTEM SET max_slot_wal_keep_size = '10GB'; SELECT pg_reload_conf(); -- on a managed service: its parameter group or flag, see docs/managed.md"
	switch {
	case limit < 0:
		return one(Failure, "max_slot_wal_keep_size is unlimited",
			"While hooktail is stopped or disconnected, the slot retains all WAL that the server writes, until the disk is full and the database stops. With a bound the slot is lost instead, and hooktail reports what is missing. "+sizing, set), nil
	case limit < small:
		return one(Warning, "max_slot_wal_keep_size is only "+text,
			"The slot and its changes are lost when hooktail is down for the time in which the server writes that much. "+sizing, set), nil
	}
	return fine("a slot may retain %s of WAL (max_slot_wal_keep_size is %s)", display.Size(limit), text), nil
}

func lookAtIdleTimeout(ctx context.Context, x *examination) ([]Finding, error) {
	if x.version < version18 {
		return nil, nil
	}
	var text string
	var limit time.Duration
	if err := x.value(ctx, "SELECT current_setting('idle_replication_slot_timeout'), current_setting('idle_replication_slot_timeout')::interval",
		nil, &text, &limit); err != nil || limit == 0 {
		return nil, err
	}
	severity := Note
	if limit < 24*time.Hour {
		severity = Warning
	}
	return one(severity, "idle_replication_slot_timeout is "+text,
		"If hooktail is stopped for longer, it loses its slot and the changes since, even if the disk has room.",
		"ALTER SYSTEM SET idle_replication_slot_timeout = 0; SELECT pg_reload_conf();"), nil
}
