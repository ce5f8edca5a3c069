package cdc

import (
	"cmp"
	"context"
	"errors"
	"sync"
)

// ErrStopped is returned by Stream.Next after StopReading was called, or Run has ended
// without an error, and everything read has been returned.
var ErrStopped = errors.New("stream stopped")

// queue hands parts from the reader to the consumer. It is bounded by the bytes of all
// parts that are queued, or taken and not yet freed. One goroutine pushes, one takes, any
// may free.
type queue struct {
	limit  int
	filled chan struct{} // holds a token when the queue may have parts
	room   chan struct{} // holds a token when bytes may have been freed

	mu    sync.Mutex
	used  int
	parts []*Part
	end   error // set when nothing more will be pushed
}

func newQueue(limit int) *queue {
	return &queue{limit: limit, filled: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// push queues as many of the parts as there is room for, in order, and returns the rest.
// A part larger than the whole bound passes alone.
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

// pop waits for a part and returns all queued parts; the slice belongs to the caller.
// After close and the last part it returns the error of close.
func (q *queue) pop(ctx context.Context) ([]*Part, error) {
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

// free implements Part.Free.
func (q *queue) free(bytes int) {
	q.mu.Lock()
	q.used -= bytes
	q.mu.Unlock()
	signal(q.room)
}

// close ends the queue with err; nil means ErrStopped. Only the first call counts.
func (q *queue) close(err error) {
	q.mu.Lock()
	q.end = cmp.Or(q.end, err, ErrStopped)
	q.mu.Unlock()
	signal(q.filled)
}

func (q *queue) bytes() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.used
}

// signal puts a token into c, which holds one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
