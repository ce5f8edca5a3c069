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
		Short: "Mend a gap: make the stream whole from now on, and send what the tables still show of it",
		Long: "repair says which changes are missing, makes publication and slot anew where they have to be, and lets\n" +
			"`hooktail run` start again, which refuses while a gap is not mended.\n\n" +
			"With --resend what was created or updated in the gap is parked for the hooks that want it, as its rows are\n" +
			"now, with the header hooktail-origin: repair. The next run delivers it before all that follows.\n" +
			"What was deleted, and states in between, cannot be known from the tables.\n\n" +
			"In a copy of a database (a restored dump, a database made from a template) hooktail sends nothing before\n" +
			"somebody has decided on what was parked in the original, which may send it too: --forget-parked for a copy\n" +
			"beside the original, --keep-parked where the original is gone, as after a restore or pg_upgrade.",
		Args: noArgs,
		RunE: a.controls(func(ctx context.Context, c *control, _ []string) error {
			return c.repair(ctx, a.CountShare, want)
		}),
	}
	cmd.Flags().BoolVar(&want.resend, "resend", false, "send what was created or updated in the gap")
	cmd.Flags().StringVar(&want.since, "since", "", "where the gap begins, if that is not known: a duration before now, or a time as of RFC 3339")
	cmd.Flags().BoolVar(&want.keep, "keep-parked", false, "in a copy: send what was parked in the original")
	cmd.Flags().BoolVar(&want.forget, "forget-parked", false, "in a copy: delete what was parked and dead in the original")
	cmd.Flags().BoolVar(&want.dryRun, "dry-run", false, "only say what would be done")
	return cmd
}

// repairChoice is what is to be done, as the command line says it.
type repairChoice struct {
	resend, dryRun bool
	keep, forget   bool // what a copy has parked
	since          string
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
	slot       *cdc.Slot // as found, then as mended; nil if there is none
	at         time.Time // before which everything that was committed lies before the slot
}

func (c *control) repair(ctx context.Context, countShare float64, want repairChoice) error {
	if err := c.decide(ctx, want); err != nil {
		return err
	}
	r := &repair{
		control: c, want: want, countShare: countShare, positions: state.NewPositions(c.Pool, c.cfg.StateSchema, c.cfg.Slot),
		plan: wiring.PlanOf(c.cfg, wiring.IdentityDefault), // the tables stay as they are
	}
	r.plan.Widen = true // what a publication was told to keep back is the gap
	if err := r.find(ctx); err != nil || r.gap == nil {
		return err
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
	if want.dryRun {
		return r.preview(ctx, whole, since)
	}
	if err := r.mend(ctx, whole); err != nil {
		return err
	}
	if want.resend {
		resent, err := r.resend(ctx, since)
		if err != nil {
			return fmt.Errorf("%w: the gap is still noted, run `hooktail repair --resend` again", err)
		}
		reportResent(r.out, resent, "parked: the next `hooktail run` delivers")
	}
	if err := r.positions.Replace(ctx, r.now(nil)); err != nil {
		return err
	}
	r.unknown(since)
	fmt.Fprintf(r.out, "slot %s stands at %s: changes from here on are delivered by `hooktail run`\n", r.slot.Name, r.slot.Confirmed)
	return nil
}

// find looks for the gap; it stays nil, and that is said, where there is none.
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
	fmt.Fprintf(r.out, "there is no gap: slot %s stands at %s\n", slot.Name, slot.Confirmed)
	return nil
}

// since is when the gap begins; an error if that has to be known and is not.
func (r *repair) since() (time.Time, error) {
	switch {
	case r.want.since != "":
		return sinceOf(r.want.since, time.Now())
	case r.gap.Since.IsZero() && r.want.resend:
		return time.Time{}, usageError{errors.New("it is not known when the gap began: say it by --since")}
	default:
		return r.gap.Since, nil
	}
}

// isWhole reports whether the stream can go on with the slot: nothing of what it still
// has is to be lost. Tables and operations that the publication lacks are added to it;
// what it lacked of them is the gap. One that was made anew is younger than the slot, and
// one that was away for a moment cannot be read there.
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
// away for a moment.
func (r *repair) canRead(ctx context.Context) (bool, error) {
	conn, err := wiring.Connect(ctx, r.cfg)
	if err != nil {
		return false, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return cdc.CanRead(ctx, conn, r.cfg.Slot, r.cfg.Publication)
}

// mendable is what a publication may lack that is added to it.
var mendable = []cdc.Reason{cdc.OperationsMissing, cdc.PublicationIncomplete, cdc.PublicationNarrowed}

// mend makes what is missing, the slot anew unless it is whole, and notes where the
// stream goes on. The gap stays noted.
func (r *repair) mend(ctx context.Context, whole bool) error {
	conn, err := wiring.Connect(ctx, r.cfg)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	say := func(step string) { fmt.Fprintln(r.out, step) }
	tables := r.plan
	tables.Slot = "" // probe has found that the role may replicate, and one that is lost is made anew
	if err := setup.Check(ctx, conn, r.cfg, tables, setup.Extras{}); err != nil {
		return err
	}
	r.at = r.gap.Since // a slot that stays stands where it stood
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

// now is the memory of a stream that begins where the slot stands.
func (r *repair) now(gap *cdc.Gap) *cdc.Memory {
	return &cdc.Memory{
		SystemID: r.slot.SystemID, Timeline: r.slot.Timeline, End: r.slot.Confirmed, At: r.at,
		Publication: r.slot.Published, Clean: true, Gap: gap,
	}
}

// preview says what would be done.
func (r *repair) preview(ctx context.Context, whole bool, since time.Time) error {
	if !whole {
		fmt.Fprintf(r.out, "would make publication %s and slot %s anew:\n", r.cfg.Publication, r.cfg.Slot)
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
		reportResent(r.out, resent, "would be parked:")
	}
	return err
}

// resend makes again what the tables show of the gap.
func (r *repair) resend(ctx context.Context, since time.Time) (*replay.Resent, error) {
	options := wiring.MappingOptions(r.cfg, r.Log)
	options.CountShare = r.countShare
	return replay.Resend(ctx, replay.ResendOptions{
		Parked: r.Parked, Mapping: options, Hooks: r.hooks, Since: since, To: r.gap.To, Most: int64(r.cfg.ParkMaxBytes), DryRun: r.want.dryRun,
		Progress: func(total int64) replay.Progress { return newProgress(r.err, total, time.Now()) },
	})
}

func reportResent(out io.Writer, r *replay.Resent, what string) {
	if len(r.Deliveries) == 0 {
		fmt.Fprintln(out, "no hook wants anything of what was created or updated in the gap")
	}
	for _, action := range slices.Sorted(maps.Keys(r.Deliveries)) {
		fmt.Fprintf(out, "%s %d × %s\n", what, r.Deliveries[action], action)
	}
	if r.Refused > 0 {
		fmt.Fprintf(out, "%s of these could not be stored, and are dead without their bodies: hooktail deliveries list --reason %s\n", display.Count(r.Refused, "delivery"), state.ReasonUnstorable)
	}
}

// unknown says what the tables do not show.
func (r *repair) unknown(since time.Time) {
	from := "the beginning of the gap"
	if !since.IsZero() {
		from = since.UTC().Format(time.RFC3339)
	}
	if !r.want.resend {
		fmt.Fprintf(r.out, "nothing of the gap was sent: what was created since %s can be, hook by hook, by `hooktail backfill --since`\n", from)
		return
	}
	fmt.Fprintf(r.out, "not known, and not sent: what was deleted between %s and now (projects, tasks, annotations), what was there only\n"+
		"in between, states that were changed again, and updates that left updated_at alone\n", from)
}
