package dispatch

import (
	"context"
	"sync/atomic"
)

// workers counts goroutines. Unlike a sync.WaitGroup it may be given more while somebody
// waits for it. It is safe for concurrent use.
type workers struct {
	working atomic.Int64
	idle    chan struct{} // has a token after the last one has ended
}

func newWorkers() workers { return workers{idle: make(chan struct{}, 1)} }

// Go starts a goroutine.
func (w *workers) Go(f func()) {
	w.working.Add(1)
	go func() {
		defer w.ended()
		f()
	}()
}

func (w *workers) ended() {
	if w.working.Add(-1) == 0 {
		select {
		case w.idle <- struct{}{}:
		default:
		}
	}
}

// wait returns when no goroutine is at work, or ctx has ended. Only one may wait at a
// time.
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
