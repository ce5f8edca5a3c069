package mapping

import (
	"context"
	"io"
	"sync"
	"time"
)

// Settler holds items until they are due, first in, first out: an item never
// overtakes an earlier one, even if it is due before it. It is unbounded itself;
// what is in it is bounded by who adds. One goroutine calls Next, any number
// the other methods.
type Settler[T any] struct {
	mu      sync.Mutex
	items   []settling[T] // [head:] wait
	head    int
	flushed bool
	closed  bool
	changed chan struct{} // holds a token after each change that Next may wait for
}

type settling[T any] struct {
	due  time.Time
	item T
}

// NewSettler is an empty one.
func NewSettler[T any]() *Settler[T] {
	return &Settler[T]{changed: make(chan struct{}, 1)}
}

// Add appends an item that is due at the given time.
func (s *Settler[T]) Add(due time.Time, item T) {
	s.mu.Lock()
	if len(s.items) == cap(s.items) && s.head > len(s.items)/2 {
		s.compact()
	}
	s.items = append(s.items, settling[T]{due, item})
	first := len(s.items)-s.head == 1
	s.mu.Unlock()
	if first {
		s.notify()
	}
}

// compact moves what waits to the front, so that the space of what is gone is
// used again.
func (s *Settler[T]) compact() {
	n := copy(s.items, s.items[s.head:])
	clear(s.items[n:])
	s.items, s.head = s.items[:n], 0
}

// Flush makes everything due at once, also what is added later: the shutdown
// has no time to wait.
func (s *Settler[T]) Flush() {
	s.mu.Lock()
	s.flushed = true
	s.mu.Unlock()
	s.notify()
}

// Close says that nothing will be added any more.
func (s *Settler[T]) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.notify()
}

func (s *Settler[T]) notify() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Len is how many items wait.
func (s *Settler[T]) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.items) - s.head
}

// Next waits until the first item is due and returns it with those after it
// that are due as well, at most limit. It returns io.EOF once the settler is
// closed and empty, and the context's error when that ends first.
func (s *Settler[T]) Next(ctx context.Context, limit int) ([]T, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		items, wait, err := s.take(limit)
		if len(items) > 0 || err != nil {
			return items, err
		}
		if err := s.wait(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// More is what becomes due within that time, at most limit. It waits for all of that
// time unless limit items are there already, or ctx ends.
func (s *Settler[T]) More(ctx context.Context, limit int, within time.Duration) []T {
	if s.Len() < limit {
		ctx, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		<-ctx.Done()
	}
	items, _, _ := s.take(limit)
	return items
}

// take returns what is due, or else how long to wait for the first item;
// negative: until there is one.
func (s *Settler[T]) take(limit int) ([]T, time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.head == len(s.items) {
		if s.closed {
			return nil, 0, io.EOF
		}
		return nil, -1, nil
	}
	now, end := time.Now(), s.head
	for end < len(s.items) && end-s.head < max(limit, 1) && (s.flushed || !s.items[end].due.After(now)) {
		end++
	}
	if end == s.head {
		return nil, s.items[end].due.Sub(now), nil
	}
	due := make([]T, 0, end-s.head)
	for i := s.head; i < end; i++ {
		due = append(due, s.items[i].item)
		s.items[i] = settling[T]{}
	}
	if s.head = end; s.head == len(s.items) {
		s.items, s.head = s.items[:0], 0
	}
	return due, 0, nil
}

func (s *Settler[T]) wait(ctx context.Context, d time.Duration) error {
	var due <-chan time.Time
	if d >= 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.changed:
	case <-due:
	}
	return nil
}
