package dispatch

import (
	"context"
	"sync/atomic"
)

// crew counts goroutines. Unlike with a sync.WaitGroup, more may be started while a
// caller waits. It is safe for concurrent use.
type crew struct {
	working atomic.Int64
	idle    chan struct{} // gets a token when the last one has ended
}

func newCrew() crew { return crew{idle: make(chan struct{}, 1)} }

// Go starts a goroutine.
func (c *crew) Go(f func()) {
	c.working.Add(1)
	go func() {
		defer c.ended()
		f()
	}()
}

func (c *crew) ended() {
	if c.working.Add(-1) == 0 {
		select {
		case c.idle <- struct{}{}:
		default:
		}
	}
}

// wait returns when no goroutine is running, or ctx has ended. Only one caller may wait
// at a time.
func (c *crew) wait(ctx context.Context) error {
	for c.working.Load() > 0 {
		select {
		case <-c.idle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
