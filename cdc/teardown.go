package cdc

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
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
	remains, err := CheckTeardown(ctx, conn, plan)
	if err != nil {
		return err
	}
	statements := setIdentities(remains.Identity, "DEFAULT")
	if remains.Publication {
		statements = append(statements, "DROP PUBLICATION "+quoteIdent(plan.Publication)+";")
	}
	if remains.Slot {
		statements = append(statements, dropSlot(plan.Slot))
	}
	in := newInstaller(conn, plan, log)
	for _, sql := range statements {
		in.log(sql)
	}
	return in.patiently(ctx, func() error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
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
}

// CheckTeardown finds what exists of a plan. It returns a *Fault for whatever prevents
// Teardown: a slot in use, or everything that the role lacks, including besides, which
// the caller lacks. It changes nothing.
func CheckTeardown(ctx context.Context, conn *pgx.Conn, plan Plan, besides ...Lack) (r Remains, err error) {
	pg := conn.PgConn()
	if err := mustBePrimary(ctx, pg); err != nil {
		return r, err
	}
	role, err := roleOf(ctx, conn)
	if err != nil {
		return r, err
	}
	if r.Slot, err = unreadSlot(ctx, pg, plan.Slot); err != nil {
		return r, err
	}
	var lacks []Lack
	if r.Slot {
		if lacks, err = role.mayReplicate(ctx, conn); err != nil {
			return r, err
		}
		disk, err := ReadDisk(ctx, conn, plan.Slot)
		if err != nil {
			return r, err
		}
		r.Unread = int64(disk.End - min(disk.Confirmed, disk.End))
	}
	p, err := inspectPublication(ctx, pg, plan.Publication, nil, nil)
	if err != nil {
		return r, err
	}
	if r.Publication = p.exists; p.exists && !p.owned {
		lacks = append(lacks, role.mustOwn(plan.Publication))
	}
	tables, err := lookUp(ctx, pg, plan.Tables)
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
func unreadSlot(ctx context.Context, conn *pgconn.PgConn, name string) (bool, error) {
	slot, err := CheckSlot(ctx, conn, name)
	_, lost := errors.AsType[*Gap](err)
	switch {
	case isReason(err, SlotMissing):
		return false, nil
	case err != nil && !lost:
		return false, err
	case slot.ActivePID != "":
		return false, slotInUse(name, slot.ActivePID, nil)
	}
	return true, nil
}

// DropSlot drops only the slot, lost or not; a missing slot is skipped, and one in use is
// a *Fault.
func DropSlot(ctx context.Context, conn *pgx.Conn, slot string, log func(step string)) error {
	there, err := unreadSlot(ctx, conn.PgConn(), slot)
	if err != nil || !there {
		return err
	}
	return newInstaller(conn, Plan{Slot: slot}, log).run(ctx, dropSlot(slot))
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
