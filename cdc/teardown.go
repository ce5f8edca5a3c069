package cdc

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/internal/postgres"
)

// Remains is what exists of a plan in a database: what Teardown removes.
type Remains struct {
	Slot        bool
	Unread      int64 // bytes of WAL that the slot has not delivered
	Publication bool
	Identity    []Table // tables whose REPLICA IDENTITY FULL is reset
}

// Teardown removes what Setup created: REPLICA IDENTITY FULL of the plan's tables, the
// publication, and the slot. Missing things are skipped. It checks everything beforehand,
// as CheckTeardown does, and makes all changes in one transaction, in which it calls
// within first: after an error of either nothing is changed. The slot is dropped last,
// since that cannot be rolled back. conn must not be in a transaction.
func Teardown(ctx context.Context, conn *pgx.Conn, plan Plan, log func(step string), within ...func(context.Context, pgx.Tx) error) error {
	in := newInstaller(conn, plan, log)
	remains, err := in.remains(ctx, nil)
	if err != nil {
		return err
	}
	return in.remove(ctx, in.removal(remains), within)
}

// CheckTeardown finds what exists of a plan. It returns a *Fault for whatever prevents
// Teardown: a slot in use, or everything that the role lacks, including besides, which
// the caller lacks. It changes nothing.
func CheckTeardown(ctx context.Context, conn *pgx.Conn, plan Plan, besides ...Lack) (Remains, error) {
	return newInstaller(conn, plan, nil).remains(ctx, besides)
}

func (in *installer) remains(ctx context.Context, besides []Lack) (r Remains, err error) {
	if err := mustBePrimary(ctx, in.conn); err != nil {
		return r, err
	}
	role, err := roleOf(ctx, in.session)
	if err != nil {
		return r, err
	}
	if r.Slot, err = in.unreadSlot(ctx); err != nil {
		return r, err
	}
	var lacks []Lack
	if r.Slot {
		if lacks, err = role.mayReplicate(ctx, in.session); err != nil {
			return r, err
		}
		disk, err := ReadDisk(ctx, in.session, in.plan.Slot)
		if err != nil {
			return r, err
		}
		r.Unread = int64(disk.End - min(disk.Confirmed, disk.End))
	}
	p, err := inspectPublication(ctx, in.conn, in.plan.Publication, nil)
	if err != nil {
		return r, err
	}
	if r.Publication = p.exists; p.exists && !p.owned {
		lacks = append(lacks, role.mustOwn(in.plan.Publication))
	}
	tables, err := lookUp(ctx, in.conn, in.plan.Tables)
	if err != nil {
		return r, err
	}
	var foreign, statements []string
	for _, t := range tables {
		if !t.IdentityFull || len(t.full) == 0 {
			continue
		}
		r.Identity = append(r.Identity, t.full...)
		if !t.owned {
			foreign, statements = append(foreign, t.String()), append(statements, setIdentities(t.full, "DEFAULT")...)
		}
	}
	return r, lacking(append(lacks, besides...), foreign, statements)
}

// unreadSlot reports whether the slot exists, lost or not; a slot that is in use, or
// belongs to another plugin or database, is a *Fault.
func (in *installer) unreadSlot(ctx context.Context) (bool, error) {
	slot, err := CheckSlot(ctx, in.conn, in.plan.Slot)
	_, lost := errors.AsType[*Gap](err)
	switch {
	case isReason(err, SlotMissing):
		return false, nil
	case err != nil && !lost:
		return false, err
	case slot.ActivePID != "":
		return false, slotInUse(slot.Name, slot.ActivePID, nil)
	}
	return true, nil
}

// removal returns the SQL that removes what remains, in order.
func (in *installer) removal(r Remains) []string {
	sql := setIdentities(r.Identity, "DEFAULT")
	if r.Publication {
		sql = append(sql, "DROP PUBLICATION "+quoteIdent(in.plan.Publication)+";")
	}
	if r.Slot {
		sql = append(sql, dropSlot(in.plan.Slot))
	}
	return sql
}

// remove runs the statements in one transaction.
func (in *installer) remove(ctx context.Context, statements []string, within []func(context.Context, pgx.Tx) error) error {
	for _, sql := range statements {
		in.log(sql)
	}
	err := in.patiently(ctx, func() error {
		return pgx.BeginFunc(ctx, in.session, func(tx pgx.Tx) error {
			in.last = "the teardown"
			if err := exec(ctx, in.conn, in.briefly()); err != nil {
				return err
			}
			for _, f := range within {
				if err := f(ctx, tx); err != nil {
					return err
				}
			}
			for _, sql := range statements {
				if err := in.execute(ctx, sql); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if postgres.Code(err) == postgres.ObjectInUse {
		return slotInUse(in.plan.Slot, "", err)
	}
	return err
}

// DropSlot drops only the slot, lost or not; a missing slot is skipped, and one in use is
// a *Fault.
func DropSlot(ctx context.Context, conn *pgx.Conn, slot string, log func(step string)) error {
	in := newInstaller(conn, Plan{Slot: slot}, log)
	there, err := in.unreadSlot(ctx)
	if err != nil || !there {
		return err
	}
	err = in.run(ctx, dropSlot(slot))
	if postgres.Code(err) == postgres.ObjectInUse {
		return slotInUse(slot, "", err)
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

// isReason reports whether err is a Fault with that reason.
func isReason(err error, reason Reason) bool {
	fault, ok := errors.AsType[*Fault](err)
	return ok && fault.Reason == reason
}
