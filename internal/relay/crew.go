package relay

import (
	"context"
	"sync"
)

// crew is the goroutines of a term. Whoever makes it waits for them. The first error of
// one ends the work of all.
type crew struct {
	wg     sync.WaitGroup
	cancel context.CancelCauseFunc // of the context that all work in
}

// newCrew is a crew without goroutines, and the context for them.
func newCrew(ctx context.Context) (*crew, context.Context) {
	work, cancel := context.WithCancelCause(ctx)
	return &crew{cancel: cancel}, work
}

// start has f run until it returns; an error ends the work.
func (c *crew) start(work context.Context, f func(context.Context) error) {
	c.wg.Go(func() {
		if err := f(work); err != nil {
			c.cancel(err) // the first cause stays
		}
	})
}

// keep has f run until the work ends.
func (c *crew) keep(work context.Context, f func(context.Context)) {
	c.wg.Go(func() { f(work) })
}

// end ends the work for the reason, unless it has ended, and waits for all.
func (c *crew) end(reason error) {
	c.cancel(reason)
	c.wg.Wait()
}
