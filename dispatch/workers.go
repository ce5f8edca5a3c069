package dispatch

import (
	"context"
	"sync/atomic"
)

// workers counts goroutines. Unlike with a sync.WaitGroup, more may be started while a
// caller waits. It is safe for concurrent use.
type workers struct {
	working atomic.Int64
	idle    chan struct{} // gets a token when the last one has ended
}

func newWorkers() workers { return workers{idle: make(chan struct{}, 1)} }

// Go starts a goroutine.
func (w *workers) Go(f func()) {
	w.working.Add(1)
	go func() {
		defer func() {
			if w.working.Add(-1) == 0 {
				select {
				case w.idle <- struct{}{}:
				default:
				}
			}
		}()
		f()
	}()
}

// wait returns when no goroutine is running, or ctx has ended. Only one caller may wait
// at a time.
func (w *workers) wait(ctx context.Context) error {
	for w.working.Load() > 0 {
		select {
		case <-w.idle:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
