package relay

import (
	"context"
	"fmt"
	"time"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/postgres"
	"github.com/hooktail/hooktail/internal/status"
	"github.com/hooktail/hooktail/internal/wiring"
)

// adopt takes a hook over, under the conditions of `hooktail hooks adopt`.
func (b *board) adopt(ctx context.Context, s *shown, hook *hook.Hook) (status.Done, error) {
	overlap := s.remembered()
	why := ""
	switch {
	case b.cfg.Deliver == config.DeliverActive:
		why = "HOOKTAIL_DELIVER=active: adopted hooks would not be served"
	case hook.Adopted && !hook.Active:
		why = fmt.Sprintf("hook %d is already adopted", hook.ID)
	case !hook.Active:
		why = fmt.Sprintf("hook %d is inactive in Label Studio: activate it first", hook.ID)
	case hook.IsRefused():
		why = fmt.Sprintf("hooktail cannot send to hook %d: %s", hook.ID, hook.Fault)
	case overlap != nil && !overlap.Whole:
		why = "hooktail started too recently to remember events that Label Studio has not sent yet: wait a moment and try again"
	}
	if why != "" {
		return status.Done{}, &status.Problem{Why: why}
	}
	err := handed(s.parked.Store.Adopt(ctx, wiring.Webhooks(b.cfg), []int64{hook.ID}))
	return status.Done{Message: fmt.Sprintf("hook %d is adopted: hooktail sends to it now, Label Studio no longer does", hook.ID)}, err
}

// release gives an adopted hook back.
func (b *board) release(ctx context.Context, s *shown, hook *hook.Hook) (status.Done, error) {
	if !hook.Adopted {
		return status.Done{}, &status.Problem{Why: fmt.Sprintf("hook %d is not adopted", hook.ID)}
	}
	err := handed(s.parked.Store.Release(ctx, wiring.Webhooks(b.cfg), []int64{hook.ID}))
	return status.Done{Message: fmt.Sprintf("hook %d is released: it is active in Label Studio again", hook.ID)}, err
}

// handed returns the error for the person who asked, with the remedy.
func handed(err error) error {
	if is[*state.LockedError](err) || postgres.Code(err) == postgres.InsufficientPrivilege {
		return &status.Problem{Why: err.Error()}
	}
	return err
}

// remembered describes the events that are kept for hooks that may be adopted; nil: none are.
func (s *shown) remembered() *status.Overlap {
	if s.overlap == nil {
		return nil
	}
	now := time.Now()
	return &status.Overlap{
		Seconds: s.cfg.AdoptOverlap.Seconds(),
		Whole:   now.Sub(s.began) >= s.cfg.AdoptOverlap && s.overlap.Whole(now),
	}
}
