package relay

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// TestCrew: the first error ends the work of all and stays its cause, and whoever ends
// the crew has waited for all of it.
func TestCrew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first, second := errors.New("first"), errors.New("second")
		crew, work := newCrew(t.Context())
		ended := 0
		crew.keep(work, func(work context.Context) { <-work.Done(); ended++ })
		synctest.Wait()
		if work.Err() != nil {
			t.Error("the work has ended by itself")
		}
		crew.start(work, func(context.Context) error { return nil })
		crew.start(work, func(context.Context) error { return first })
		<-work.Done()
		crew.start(work, func(context.Context) error { return second })
		crew.end(errStopped)
		if !errors.Is(context.Cause(work), first) || ended != 1 {
			t.Errorf("the cause is %v, %d have ended", context.Cause(work), ended)
		}
	})
}
