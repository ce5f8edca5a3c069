package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/replay"
	"github.com/hooktail/hooktail/internal/setup"
	"github.com/hooktail/hooktail/internal/wiring"
)

func (a *app) repairCommand() *cobra.Command {
	var want repairChoice
	cmd := &cobra.Command{
		Use:   "repair",
		Short: "Repair a gap in the stream, and resend what the tables still show",
		Long: "repair shows which changes are missing, recreates publication and slot where necessary, and allows\n" +
			"`hooktail run` to start again, which refuses to start while there is a gap.\n\n" +
			"With --resend, events for rows that were created or updated in the gap are parked, with the rows' present\n" +
			"content and the header hooktail-origin: repair. The next run delivers them before all later events.\n" +
			"Deletions and intermediate states are lost: the tables do not show them.\n\n" +
			"In a copy of a database (a restored dump, a database made from a template) hooktail sends nothing parked\n" +
			"in the original until you have decided, since the original may send it too: --forget-parked for a copy\n" +
			"that exists beside the original, --keep-parked if the original is gone, as after a restore or pg_upgrade.",
		Args: noArgs,
		RunE: a.controls(func(ctx context.Context, c *control, _ []string) error {
			return c.repair(ctx, a.CountShare, want)
		}),
	}
	cmd.Flags().BoolVar(&want.resend, "resend", false, "send events for rows created or updated in the gap")
	cmd.Flags().StringVar(&want.since, "since", "", "beginning of the gap, if it is unknown: a duration before now, or a time in RFC 3339")
	cmd.Flags().BoolVar(&want.keep, "keep-parked", false, "in a copy: send the original's parked deliveries")
	cmd.Flags().BoolVar(&want.forget, "forget-parked", false, "in a copy: delete the original's parked and dead deliveries")
	cmd.Flags().BoolVar(&want.dryRun, "dry-run", false, "print what would be done, and change nothing")
	cmd.Flags().BoolVar(&want.asJSON, "json", false, "print the gap and what was done as a JSON object")
	return cmd
}

// repairChoice holds the flags.
type repairChoice struct {
	resend, dryRun bool
	keep, forget   bool // what to do with a copy's parked deliveries
	since          string
	asJSON         bool
}

// repair is one run of the command.
type repair struct {
	*control
	want       repairChoice
	countShare float64
	positions  *state.Positions
	plan       cdc.Plan
	gap        *cdc.Gap
	memory     *cdc.Memory
	slot       *cdc.Slot // as found, later as repaired; nil: it does not exist
	at         time.Time // everything committed before it precedes the slot
}

func (c *control) repair(ctx context.Context, countShare float64, want repairChoice) error {
	facts := &repaired{Slot: c.cfg.Slot, DryRun: want.dryRun}
	if !want.asJSON {
		return c.repairGap(ctx, countShare, want, facts)
	}
	out := c.out
	c.out.Writer = io.Discard
	if err := c.repairGap(ctx, countShare, want, facts); err != nil {
		return err
	}
	return printJSON(out, facts)
}

// repairGap prints what it does in words, and notes it in facts.
func (c *control) repairGap(ctx context.Context, countShare float64, want repairChoice, facts *repaired) error {
	if err := c.decide(ctx, want); err != nil {
		return err
	}
	r := &repair{
		control: c, want: want, countShare: countShare, positions: state.NewPositions(c.Pool, c.cfg.StateSchema, c.cfg.Slot),
		plan: wiring.PlanOf(c.cfg, wiring.IdentityDefault), // leaves the tables alone
	}
	r.plan.Widen = true // changes that the publication withheld are the gap
	if err := r.find(ctx); err != nil {
		return err
	}
	if r.slot != nil {
		facts.Confirmed = r.slot.Confirmed.String()
	}
	if r.gap == nil {
		return nil
	}
	since, err := r.since()
	if err != nil {
		return err
	}
	fmt.Fprintf(r.out, "%s: %s\n", r.gap.Why, r.gap.Interval())
	whole, err := r.isWhole(ctx)
	if err != nil {
		return err
	}
	facts.Gap, facts.Why, facts.Missing, facts.Since, facts.Recreated = true, r.gap.Why, r.gap.Interval(), since, !whole
	if want.dryRun {
		return r.preview(ctx, whole, since, facts)
	}
	if err := r.mend(ctx, whole); err != nil {
		return err
	}
	if want.resend {
		resent, err := r.resend(ctx, since)
		if err != nil {
			return fmt.Errorf("%w: the gap remains, run `hooktail repair --resend` again", err)
		}
		facts.resent(resent)
		reportResent(r.out, resent, "parked: the next `hooktail run` delivers")
	}
	if err := r.positions.Replace(ctx, r.now(nil)); err != nil {
		return err
	}
	r.unknown(since)
	facts.Confirmed = r.slot.Confirmed.String()
	fmt.Fprintf(r.out, "slot %s is at %s: `hooktail run` delivers all later changes\n", r.slot.Name, r.slot.Confirmed)
	return nil
}

// find sets gap. If there is none, it prints so and leaves gap nil.
func (r *repair) find(ctx context.Context) error {
	memory, err := r.positions.Read(ctx)
	if err != nil {
		return err
	}
	slot, err := setup.Probe(ctx, r.cfg, memory)
	r.memory, r.slot = memory, slot
	if slot != nil && slot.ActivePID != "" {
		return fmt.Errorf("slot %q is in use by server process %s: stop the hooktail that reads it first", slot.Name, slot.ActivePID)
	}
	if gap, ok := errors.AsType[*cdc.Gap](err); ok {
		r.gap = gap
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(r.out, "there is no gap: slot %s is at %s\n", slot.Name, slot.Confirmed)
	return nil
}

// since returns the beginning of the gap, or an error if it is required and unknown.
func (r *repair) since() (time.Time, error) {
	switch {
	case r.want.since != "":
		return sinceOf(r.want.since, time.Now())
	case r.gap.Since.IsZero() && r.want.resend:
		return time.Time{}, usageError{errors.New("the beginning of the gap is unknown: set --since")}
	default:
		return r.gap.Since, nil
	}
}

// isWhole reports whether the stream can continue with the present slot without losing
// any of the slot's changes. Missing tables and operations are added to the publication;
// their past changes are the gap. A slot cannot be read with a publication that was
// created after it, or that was dropped for a while.
func (r *repair) isWhole(ctx context.Context) (bool, error) {
	if r.slot == nil || r.memory != nil && r.memory.Publication[""] != r.slot.Published[""] {
		return false, nil
	}
	_, err := setup.Probe(ctx, r.cfg, nil)
	var gap *cdc.Gap
	fault, ok := errors.AsType[*cdc.Fault](err)
	switch {
	case err == nil:
		return r.canRead(ctx)
	case ok && slices.Contains(mendable, fault.Reason):
		return true, nil
	case errors.As(err, &gap):
		return false, nil
	default:
		return false, err
	}
}

// canRead reports whether the slot can be read with the publication, which may have been
// dropped for a while.
func (r *repair) canRead(ctx context.Context) (bool, error) {
	conn, err := wiring.Connect(ctx, r.cfg)
	if err != nil {
		return false, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return cdc.CanRead(ctx, conn, r.cfg.Slot, r.cfg.Publication)
}

// mendable are the faults of a publication that are repaired by adding to it.
var mendable = []cdc.Reason{cdc.OperationsMissing, cdc.PublicationIncomplete, cdc.PublicationNarrowed}

// mend creates what is missing, recreates the slot unless it is whole, and records where
// the stream continues. The gap remains recorded.
func (r *repair) mend(ctx context.Context, whole bool) error {
	conn, err := wiring.Connect(ctx, r.cfg)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	say := func(step string) { fmt.Fprintln(r.out, step) }
	tables := r.plan
	tables.Slot = "" // Probe has found that the role may replicate; a lost slot is recreated below
	if err := setup.Check(ctx, conn, r.cfg, tables); err != nil {
		return err
	}
	r.at = r.gap.Since // a kept slot keeps its position
	if !whole {
		if r.at, err = setup.DatabaseTime(ctx, conn); err != nil {
			return err
		}
		if err := cdc.DropSlot(ctx, conn, r.cfg.Slot, say); err != nil {
			return err
		}
	}
	if _, _, err := setup.Install(ctx, conn, r.cfg, r.plan, say); err != nil {
		return err
	}
	if r.slot, err = setup.Probe(ctx, r.cfg, nil); err != nil {
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

// preview prints what would be done.
func (r *repair) preview(ctx context.Context, whole bool, since time.Time, facts *repaired) error {
	if !whole {
		fmt.Fprintf(r.out, "would recreate publication %s and slot %s:\n", r.cfg.Publication, r.cfg.Slot)
		conn, err := wiring.Connect(ctx, r.cfg)
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(ctx))
		version, err := cdc.VersionOf(ctx, conn)
		if err != nil {
			return err
		}
		fmt.Fprintln(r.out, "  "+strings.Join(cdc.Statements(r.plan, version), "\n  "))
	}
	if !r.want.resend {
		return nil
	}
	resent, err := r.resend(ctx, since)
	if err == nil {
		facts.resent(resent)
		reportResent(r.out, resent, "would be parked:")
	}
	return err
}

// resend parks events made from the rows that changed in the gap.
func (r *repair) resend(ctx context.Context, since time.Time) (*replay.Resent, error) {
	options := wiring.MappingOptions(r.cfg, r.Log)
	options.CountShare = r.countShare
	return replay.Resend(ctx, replay.ResendOptions{
		Parked: r.Parked, Mapping: options, Hooks: r.hooks, Since: since, To: r.gap.To, Most: int64(r.cfg.ParkMaxBytes), DryRun: r.want.dryRun,
		Progress: func(total int64) replay.Progress { return display.NewProgress(r.err, total, time.Now()) },
	})
}

func reportResent(out io.Writer, r *replay.Resent, what string) {
	if len(r.Deliveries) == 0 {
		fmt.Fprintln(out, "no hook wants an event for a row created or updated in the gap")
	}
	for _, action := range slices.Sorted(maps.Keys(r.Deliveries)) {
		fmt.Fprintf(out, "%s %d × %s\n", what, r.Deliveries[action], action)
	}
	if r.Refused > 0 {
		fmt.Fprintf(out, "%s of these could not be stored and are dead, without their bodies: hooktail deliveries list --reason %s\n", display.Count(r.Refused, "delivery"), state.ReasonUnstorable)
	}
}

// unknown prints what the tables do not show.
func (r *repair) unknown(since time.Time) {
	from := "the beginning of the gap"
	if !since.IsZero() {
		from = since.UTC().Format(time.RFC3339)
	}
	if !r.want.resend {
		fmt.Fprintf(r.out, "no event of the gap was sent: `hooktail backfill --since` sends creations since %s, hook by hook\n", from)
		return
	}
	fmt.Fprintf(r.out, "unknown, and not sent: deletions between %s and now (projects, tasks, annotations), rows that existed only\n"+
		"in between, intermediate states, and updates that did not change updated_at\n", from)
}
