package dispatch

import (
	"context"
	"sync"
	"time"
)

// budget bounds the bytes and counts the deliveries in the lanes. It is safe for
// concurrent use.
type budget struct {
	max int64

	mu         sync.Mutex
	bytes      int64
	deliveries int
	closed     bool
	moved      chan struct{} // closed when anything is returned; nil: nobody waits
}

// impatience is the interval at which waiting callers are notified.
const impatience = 50 * time.Millisecond

// reserve waits until n bytes fit, or until nothing is held, and reserves them for that
// many deliveries. While it waits, it calls blocked from time to time.
func (b *budget) reserve(ctx context.Context, n int64, deliveries int, blocked func()) error {
	return b.await(ctx, blocked, func() bool {
		if b.closed || b.deliveries > 0 && b.bytes+n > b.max {
			return false
		}
		b.bytes += n
		b.deliveries += deliveries
		return true
	})
}

func (b *budget) drained(ctx context.Context) error {
	return b.await(ctx, func() {}, func() bool { return b.deliveries == 0 })
}

// await calls ask under the lock after each change, until it returns true or the budget is
// closed.
func (b *budget) await(ctx context.Context, blocked func(), ask func() bool) error {
	var tick *time.Ticker
	for {
		b.mu.Lock()
		if ask() {
			b.mu.Unlock()
			return nil
		}
		if b.closed {
			b.mu.Unlock()
			return ErrClosed
		}
		if b.moved == nil {
			b.moved = make(chan struct{})
		}
		moved := b.moved
		b.mu.Unlock()
		if tick == nil {
			tick = time.NewTicker(impatience)
			defer tick.Stop()
		}
		select {
		case <-moved:
		case <-tick.C:
			blocked()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (b *budget) give(bytes int64, deliveries int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes -= bytes
	b.deliveries -= deliveries
	b.stir()
}

func (b *budget) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.stir()
}

func (b *budget) held() (bytes int64, deliveries int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes, b.deliveries
}

func (b *budget) stir() {
	if b.moved != nil {
		close(b.moved)
		b.moved = nil
	}
}
