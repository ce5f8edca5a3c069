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
	sharing    map[any]int // events by the key of what they share
	closed     bool
	moved      chan struct{} // closed when anything is returned; nil: nobody waits
}

// load is the bytes of an event: its own, and those that it shares with others of the same
// key. A slow hook may hold one event of each batch for long, and with it all that the batch
// has shared: they count as long as one event holds them.
type load struct {
	own, shared int64
	key         any // nil: nothing is shared
}

// impatience is the interval at which waiting callers are notified.
const impatience = 50 * time.Millisecond

// reserve waits until the bytes fit, or until nothing is held, and reserves them for that
// many deliveries. While it waits, it calls blocked from time to time.
func (b *budget) reserve(ctx context.Context, of load, deliveries int, blocked func()) error {
	return b.await(ctx, blocked, func() bool {
		n := of.own
		if b.sharing[of.key] == 0 {
			n += of.shared
		}
		if b.closed || b.deliveries > 0 && b.bytes+n > b.max {
			return false
		}
		b.bytes += n
		b.deliveries += deliveries
		if of.key != nil {
			if b.sharing == nil {
				b.sharing = map[any]int{}
			}
			b.sharing[of.key]++
		}
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

func (b *budget) give(of load, deliveries int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes -= of.own
	if of.key != nil {
		if b.sharing[of.key]--; b.sharing[of.key] == 0 {
			delete(b.sharing, of.key)
			b.bytes -= of.shared
		}
	}
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
