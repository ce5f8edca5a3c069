package repair

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/internal/setup"
	"github.com/hooktail/hooktail/internal/wiring"
)

// isWhole reports whether the stream can continue with the present slot without losing
// any of the slot's changes. Missing tables and operations are added to the publication;
// their past changes are the gap. A slot cannot be read with a publication that was
// created after it, or that was dropped for a while.
func (r *repair) isWhole(ctx context.Context) (bool, error) {
	if r.slot == nil || r.memory != nil && r.memory.Publication[""] != r.slot.Published[""] {
		return false, nil
	}
	_, err := setup.Probe(ctx, r.Config, nil)
	if fault, ok := errors.AsType[*cdc.Fault](err); ok && slices.Contains(mendable, fault.Reason) {
		return true, nil
	}
	if _, ok := errors.AsType[*cdc.Gap](err); ok {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	conn, err := wiring.Connect(ctx, r.Config)
	if err != nil {
		return false, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return cdc.CanRead(ctx, conn, r.Config.Slot, r.Config.Publication)
}

// mendable are the faults of a publication that are repaired by adding to it.
var mendable = []cdc.Reason{cdc.OperationsMissing, cdc.PublicationIncomplete, cdc.PublicationNarrowed}

// mend creates what is missing, recreates the slot unless it is whole, and records where
// the stream continues. The gap remains recorded.
func (r *repair) mend(ctx context.Context, whole bool) error {
	conn, err := wiring.Connect(ctx, r.Config)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	tables := r.plan
	tables.Slot = "" // Probe has found that the role may replicate; a lost slot is recreated below
	if err := setup.Check(ctx, conn, r.Config, tables); err != nil {
		return err
	}
	r.at = r.gap.Since // a kept slot keeps its position
	if !whole {
		if r.at, err = setup.DatabaseTime(ctx, conn); err != nil {
			return err
		}
		if err := cdc.DropSlot(ctx, conn, r.Config.Slot, r.Say); err != nil {
			return err
		}
	}
	if _, _, err := setup.Install(ctx, conn, r.Config, r.plan, r.Say); err != nil {
		return err
	}
	if r.slot, err = setup.Probe(ctx, r.Config, nil); err != nil {
		return err
	}
	r.gap.To = r.slot.Confirmed
	return r.positions.Replace(ctx, r.now(r.gap))
}

// now returns the memory of a stream that begins at the slot's position.
func (r *repair) now(gap *cdc.Gap) *cdc.Memory {
	return &cdc.Memory{
		SystemID: r.slot.SystemID, Timeline: r.slot.Timeline, End: r.slot.Confirmed, At: r.at,
		Publication: r.slot.Published, Clean: true, Gap: gap,
	}
}

// preview says what would be done.
func (r *repair) preview(ctx context.Context, whole bool) error {
	if !whole {
		r.say("would replace slot %s, and create what is missing of publication %s:", r.Config.Slot, r.Config.Publication)
		conn, err := wiring.Connect(ctx, r.Config)
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(ctx))
		version, err := cdc.VersionOf(ctx, conn.PgConn())
		if err != nil {
			return err
		}
		r.Say("  " + strings.Join(cdc.Statements(r.plan, version), "\n  "))
	}
	if !r.Resend {
		return nil
	}
	resent, err := r.resend(ctx)
	if err == nil {
		r.resent(resent, "would be parked:")
	}
	return err
}
