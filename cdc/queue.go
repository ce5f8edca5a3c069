package cdc

import (
	"context"
	"errors"
	"sync"
)

// ErrStopped is what Stream.Next returns when StopReading was called, or Run
// has ended without a fault, and everything that was read has been taken.
var ErrStopped = errors.New("stream stopped")

// queue hands parts over from the reader to the consumer. It is bounded by the
// bytes of all parts that are in it or have been taken and not been freed.
// One goroutine pushes, one takes, any may free.
type queue struct {
	limit  int
	filled chan struct{} // holds a token when there may be something to take
	room   chan struct{} // holds a token when bytes may have been freed

	mu    sync.Mutex
	used  int
	parts []*Part
	end   error // nothing will be pushed any more
}

func newQueue(limit int) *queue {
	return &queue{limit: limit, filled: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// push hands over as many of the parts as there is room for, in order, and
// returns the rest. A part bigger than the whole bound passes when it is alone.
func (q *queue) push(parts []*Part) (rest []*Part) {
	q.mu.Lock()
	n := 0
	for ; n < len(parts); n++ {
		if q.used > 0 && q.used+parts[n].bytes > q.limit {
			break
		}
		q.used += parts[n].bytes
	}
	q.parts = append(q.parts, parts[:n]...)
	q.mu.Unlock()
	if n > 0 {
		signal(q.filled)
	}
	return parts[n:]
}

// take waits for a part and returns all that there are; the slice is the
// caller's. After close it returns the end, when all parts are taken.
func (q *queue) take(ctx context.Context) ([]*Part, error) {
	for {
		q.mu.Lock()
		parts, end := q.parts, q.end
		q.parts = nil
		q.mu.Unlock()
		switch {
		case len(parts) > 0:
			return parts, nil
		case end != nil:
			return nil, end
		}
		select {
		case <-q.filled:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// free is called by Part.Free.
func (q *queue) free(bytes int) {
	q.mu.Lock()
	q.used -= bytes
	q.mu.Unlock()
	signal(q.room)
}

// close ends the queue with err, the first of which counts; nil means ErrStopped.
func (q *queue) close(err error) {
	if err == nil {
		err = ErrStopped
	}
	q.mu.Lock()
	if q.end == nil {
		q.end = err
	}
	q.mu.Unlock()
	signal(q.filled)
}

func (q *queue) bytes() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.used
}

// signal leaves a token in c, which has room for one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
