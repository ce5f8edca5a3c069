package cdc

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Teardown removes what Setup made: slot, publication, and REPLICA IDENTITY
// FULL of the tables that the plan wants it for. What is not there is passed
// over. A slot that is being read is a *Fault, before anything is removed.
func Teardown(ctx context.Context, conn *pgx.Conn, plan Plan, log func(step string)) error {
	in := newInstaller(conn, plan, log)
	if err := in.dropSlot(ctx); err != nil {
		return err
	}
	p, err := inspectPublication(ctx, in.conn, plan.Publication)
	if err != nil {
		return fmt.Errorf("inspect publication %q: %w", plan.Publication, err)
	}
	if p.exists {
		if err := in.run(ctx, dropPublication(plan.Publication)); err != nil {
			return err
		}
	}
	for _, t := range plan.Tables {
		if err := in.restoreIdentity(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// DropSlot removes the slot alone, lost or not; one that is not there is passed over,
// and one that is being read is a *Fault.
func DropSlot(ctx context.Context, conn *pgx.Conn, slot string, log func(step string)) error {
	return newInstaller(conn, Plan{Slot: slot}, log).dropSlot(ctx)
}

// dropSlot drops the slot, lost or not, unless it is another's.
func (in *installer) dropSlot(ctx context.Context) error {
	slot, err := inspectSlot(ctx, in.conn, in.plan.Slot)
	var gap *Gap
	switch {
	case isReason(err, SlotMissing):
		return nil
	case err != nil && !errors.As(err, &gap):
		return err
	case slot.ActivePID != "":
		return slotInUse(slot.Name, slot.ActivePID, nil)
	}
	err = in.run(ctx, dropSlot(in.plan.Slot))
	if sqlState(err) == objectInUse {
		return slotInUse(in.plan.Slot, "", err)
	}
	return err
}

func slotInUse(slot, pid string, err error) *Fault {
	f := &Fault{Reason: SlotActive, What: fmt.Sprintf("slot %q is in use", slot), Mend: "stop the hooktail that reads it", Err: err}
	if pid != "" {
		f.What += " by server process " + pid
	}
	return f
}

func (in *installer) restoreIdentity(ctx context.Context, t Table) error {
	if !t.IdentityFull {
		return nil
	}
	one := &installer{conn: in.conn, log: in.log, plan: Plan{Tables: []Table{t}}}
	states, err := one.tables(ctx)
	if isReason(err, TableMissing) {
		return nil
	}
	if err != nil || states[0].identity != "f" {
		return err
	}
	return in.run(ctx, setIdentity(t, "DEFAULT"))
}

// isReason reports whether err is a Fault for that reason.
func isReason(err error, reason Reason) bool {
	var fault *Fault
	return errors.As(err, &fault) && fault.Reason == reason
}
