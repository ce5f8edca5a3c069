package relay

import (
	"context"
	"fmt"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/display"
)

// FullError states that a hook remains suspended, because its next event would suspend it
// again.
type FullError struct{ hook, parked, bound int64 }

func (e *FullError) Error() string {
	return fmt.Sprintf("remains suspended: %s is parked for it, and HOOKTAIL_PARK_MAX_BYTES is %s. "+
		"Parked deliveries are still being sent: resume the hook when fewer are left, raise the variable, or discard some (hooktail deliveries discard --state parked --hook %d)", display.Size(e.parked), display.Size(e.bound), e.hook)
}

// Resume ends the hook's pause. It also ends the hook's suspension, unless the parked
// deliveries still fill the bound; then it returns a *FullError.
func Resume(ctx context.Context, store *state.Store, hook, bound int64) error {
	suspended, err := store.IsSuspended(ctx, hook)
	var parked int64
	if err == nil && suspended {
		parked, err = store.Room(ctx, hook)
	}
	switch {
	case err != nil:
		return err
	case !suspended, parked < bound:
		return store.Resume(ctx, hook)
	}
	if err := store.Unpause(ctx, hook); err != nil {
		return err
	}
	return &FullError{hook, parked, bound}
}
