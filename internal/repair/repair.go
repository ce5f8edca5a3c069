package repair

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/replay"
	"github.com/hooktail/hooktail/internal/setup"
	"github.com/hooktail/hooktail/internal/wiring"
)

// Options configures Run. Without Keep and Forget, a copied database ends it with a
// *state.CopyError.
type Options struct {
	Config     config.Config
	Parked     *wiring.Parked
	Hooks      *hook.Set // as they are in the database now
	CountShare float64   // as in mapping.Options

	Since        time.Time // beginning of the gap; zero: as the database knows it
	Resend       bool      // park events for rows created or updated in the gap
	Keep, Forget bool      // what to do with a copy's parked deliveries
	DryRun       bool      // only say what would be done

	Say      func(line string) // told of each step, for people
	Progress func(total int64) replay.Progress
}

// ChoiceError is an error of the options.
type ChoiceError struct{ error }

// Unwrap returns the error in words.
func (e ChoiceError) Unwrap() error { return e.error }

// repair is one call of Run.
type repair struct {
	Options
	facts     *Facts
	positions *state.Positions
	plan      cdc.Plan
	gap       *cdc.Gap
	memory    *cdc.Memory
	slot      *cdc.Slot // as found, later as repaired; nil: it does not exist
	at        time.Time // everything committed before it precedes the slot
}

// Run repairs the log, if there is one, or else the stream. If it fails, the gap remains
// recorded, and Run can be repeated.
func Run(ctx context.Context, o Options) (*Facts, error) {
	cfg := o.Config
	r := &repair{
		Options: o, facts: &Facts{Slot: cfg.Slot, DryRun: o.DryRun}, positions: state.NewPositions(o.Parked.Pool, cfg.StateSchema, cfg.Slot),
		plan: wiring.PlanOf(cfg, wiring.IdentityDefault), // leaves the tables alone
	}
	r.plan.Widen = true // changes that the publication withheld are the gap
	if err := r.decide(ctx); err != nil {
		return nil, err
	}
	if missing, err := r.log(ctx); err != nil || missing {
		return r.facts, err
	}
	if err := r.find(ctx); err != nil {
		return nil, err
	}
	if r.slot != nil {
		r.facts.Confirmed = r.slot.Confirmed.String()
	}
	if r.gap == nil {
		return r.facts, nil
	}
	return r.facts, r.close(ctx)
}

// log passes over what is missing in the log, if there is one. It reports whether
// anything is missing.
func (r *repair) log(ctx context.Context) (missing bool, err error) {
	if !setup.HasLog(r.Config) {
		return false, nil
	}
	err = setup.RepairLog(ctx, r.Config, r.Parked.Pool, r.DryRun, func(what string) {
		missing = true
		r.Say(what)
	})
	if err == nil && missing && !r.DryRun {
		r.Say("the log goes on: run `hooktail backfill` for what the tables still show of the missing events")
	}
	return missing, err
}

// find sets gap. If there is none, it says so and leaves gap nil.
func (r *repair) find(ctx context.Context) error {
	memory, err := r.positions.Read(ctx)
	if err != nil {
		return err
	}
	slot, err := setup.Probe(ctx, r.Config, memory)
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
	r.say("there is no gap: slot %s is at %s", slot.Name, slot.Confirmed)
	return nil
}

// close closes the gap.
func (r *repair) close(ctx context.Context) error {
	if r.Since.IsZero() {
		r.Since = r.gap.Since
	}
	if r.Since.IsZero() && r.Resend {
		return ChoiceError{errors.New("the beginning of the gap is unknown: set --since")}
	}
	r.say("%s: %s", r.gap.Why, r.gap.Interval())
	whole, err := r.isWhole(ctx)
	if err != nil {
		return err
	}
	f := r.facts
	f.Gap, f.Why, f.Missing, f.Since, f.Recreated = true, r.gap.Why, r.gap.Interval(), r.Since, !whole
	if r.DryRun {
		return r.preview(ctx, whole)
	}
	if err := r.mend(ctx, whole); err != nil {
		return err
	}
	if r.Resend {
		resent, err := r.resend(ctx)
		if err != nil {
			return fmt.Errorf("%w: the gap remains, run `hooktail repair --resend` again", err)
		}
		r.resent(resent, "parked: the next `hooktail run` delivers")
	}
	if err := r.positions.Replace(ctx, r.now(nil)); err != nil {
		return err
	}
	if err := setup.SeedHooks(ctx, r.Parked.Pool, r.Config); err != nil {
		return err // the next run does it
	}
	r.unknown()
	f.Confirmed = r.slot.Confirmed.String()
	r.say("slot %s is at %s: `hooktail run` delivers all later changes", r.slot.Name, r.slot.Confirmed)
	return nil
}

// resend parks events made from the rows that changed in the gap.
func (r *repair) resend(ctx context.Context) (*replay.Resent, error) {
	options := wiring.MappingOptions(r.Config, r.Parked.Log)
	options.CountShare = r.CountShare
	return replay.Resend(ctx, replay.ResendOptions{
		Parked: r.Parked, Mapping: options, Hooks: r.Hooks, Since: r.Since, To: r.gap.To, Most: int64(r.Config.ParkMaxBytes), DryRun: r.DryRun,
		Progress: r.Progress,
	})
}
