package relay

import (
	"context"
	"sync"
)

// crew is the goroutines of a term. Its creator waits for them. The first error of any of
// them ends the work of all.
type crew struct {
	wg     sync.WaitGroup
	cancel context.CancelCauseFunc // of the context that all work in
}

// newCrew returns a crew without goroutines, and the context in which they work.
func newCrew(ctx context.Context) (*crew, context.Context) {
	work, cancel := context.WithCancelCause(ctx)
	return &crew{cancel: cancel}, work
}

// start runs f in a goroutine. An error of f ends the work.
func (c *crew) start(work context.Context, f func(context.Context) error) {
	c.wg.Go(func() {
		if err := f(work); err != nil {
			c.cancel(err) // the first cause is kept
		}
	})
}

// keep runs f in a goroutine; f returns when the work ends.
func (c *crew) keep(work context.Context, f func(context.Context)) {
	c.wg.Go(func() { f(work) })
}

// end ends the work for the given reason, unless it has ended already, and waits for all
// goroutines.
func (c *crew) end(reason error) {
	c.cancel(reason)
	c.wg.Wait()
}
