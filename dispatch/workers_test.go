package dispatch

import (
	"context"
	"testing"
	"time"
)

// TestWorkersMayGrowWhileItIsWaitedFor, as when a tail is read beside Park.
func TestWorkersMayGrowWhileItIsWaitedFor(t *testing.T) {
	c := newWorkers()
	stop := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
				c.Go(func() {})
			}
		}
	}()
	for range 2000 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_ = c.wait(ctx)
		cancel()
	}
	close(stop)
	<-ended
	if err := c.wait(t.Context()); err != nil || c.working.Load() != 0 {
		t.Errorf("%d at work: %v", c.working.Load(), err)
	}
}
