package repair

import (
	"context"
	"errors"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/display"
)

// decide keeps or deletes the parked deliveries of a copied database, as chosen. Without
// a choice it returns the error with which run stops in a copy. If the database is not a
// copy, there is nothing to choose.
func (r *repair) decide(ctx context.Context) error {
	if r.Keep && r.Forget {
		return ChoiceError{errors.New("--keep-parked and --forget-parked exclude each other")}
	}
	err := state.CheckCopy(ctx, r.Parked.Pool, r.Config.StateSchema)
	copied, ok := errors.AsType[*state.CopyError](err)
	switch {
	case !ok && err != nil:
		return err
	case !ok && r.Forget:
		return ChoiceError{errors.New("--forget-parked: this database is not a copy; `hooktail deliveries discard` deletes parked deliveries")}
	case !ok:
		return nil
	case r.DryRun:
		r.Say(copied.Error())
		return r.warnOfOrder(ctx)
	case r.Keep:
		if err := r.Parked.Store.KeepParked(ctx); err != nil {
			return err
		}
		r.say("%s parked in the original: the next `hooktail run` sends them", display.Count(copied.Parked, "delivery"))
		return r.warnOfOrder(ctx)
	case r.Forget:
		n, err := r.Parked.Store.ForgetParked(ctx)
		r.say("deleted %s of the original, parked and dead", display.Count(n, "delivery"))
		return err
	default:
		return copied
	}
}

// warnOfOrder says which parked deliveries keep no order with the events of this server, as
// its WAL positions are lower than those of the original, and what preserves it.
func (r *repair) warnOfOrder(ctx context.Context) error {
	if r.Forget {
		return nil
	}
	n, err := r.Parked.Store.Ahead(ctx)
	if err == nil && n > 0 {
		r.say("warning: the original had written more WAL than this server: new events, and those of --resend, are sent before %s,\n"+
			"and a receiver may end with an older state of a task. To keep the order, start `hooktail run` before Label Studio starts, wait\n"+
			"until `hooktail deliveries list --state parked` shows none, and discard what cannot be delivered", display.Count(n, "delivery"))
	}
	return err
}
