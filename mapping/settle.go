package mapping

import (
	"cmp"
	"context"
	"io"
	"slices"
	"sync"
	"time"
)

// Settler holds events until the user's action has ended: until the stream has shown the
// end, and no longer than Options.Settle after the commit. An event never overtakes an
// earlier one of its task, nor one of its whole project; it waits for no others. The
// caller must bound the number of events. One goroutine calls Next and More, one Add,
// Put, Pass and See, any number the other methods.
type Settler[T any] struct {
	settle  time.Duration
	metrics *Metrics

	mu      sync.Mutex
	ready   fifo[readied[T]] // guarded by mu, as are the fields below
	waiting line[T]
	watches watches[*settling[T]]
	added   uint64
	flushed bool
	closed  bool
	changed chan struct{} // holds a token after each change that Next waits for
}

// readied is an event that need not wait: it was due when it came, and no event of its
// project was waiting. It leaves before all later ones.
type readied[T any] struct {
	item   T
	number uint64 // number in the order of adding
	ended  ending // cause of its settling; unseen: the bound
}

type settling[T any] struct {
	readied[T]
	event  *Event
	due    time.Time
	ahead  int            // events that must leave first
	behind []*settling[T] // events that wait for this one
	at     int            // index in the heap; -1: not in it
	awaits int            // number of actions with which it ends, if it follows others
}

// NewSettler returns an empty Settler.
func NewSettler[T any](o Options) *Settler[T] {
	o = o.withDefaults()
	return &Settler[T]{
		settle: o.Settle, metrics: o.Metrics, changed: make(chan struct{}, 1),
		waiting: line[T]{projects: map[int64]*projectLine[T]{}}, watches: newWatches[*settling[T]](),
	}
}

// Add appends an event with its item.
func (s *Settler[T]) Add(e *Event, item T) {
	due, ended := e.Due(s.settle), unseen
	if e.ending == atOnce {
		due, ended = e.Received, atOnce
	}
	s.mu.Lock()
	s.added++
	first, of := false, readied[T]{item, s.added, ended}
	if !due.After(e.Received) && s.waiting.projects[e.Project] == nil {
		first = s.ready.push(of)
		s.watch(e, nil)
	} else {
		it := &settling[T]{readied: of, event: e, due: due, at: -1}
		s.waiting.add(it)
		first = s.waiting.first() == it
		s.watch(e, it)
	}
	s.mu.Unlock()
	if first {
		s.notify()
	}
}

// Put appends an item without an event, which does not wait.
func (s *Settler[T]) Put(item T) {
	s.mu.Lock()
	s.added++
	first := s.ready.push(readied[T]{item, s.added, atOnce})
	s.mu.Unlock()
	if first {
		s.notify()
	}
}

// Pass records an event that no hook wants, so that what its action writes later does not
// count as another action's end.
func (s *Settler[T]) Pass(e *Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch(e, nil)
}

// watch awaits the end of the event's action, if it can still come. It waits twice as
// long as the event does, so that late writes do not count as another action's end
// either. The caller holds the lock.
func (s *Settler[T]) watch(e *Event, it *settling[T]) {
	if s.settle <= 0 || e.ending == atOnce || e.Age >= 2*s.settle {
		return
	}
	if e.ending == followed && it != nil {
		it.awaits = s.watches.follow(e.Task, it)
	}
	if e.Action.table() != annotation {
		return
	}
	s.watches.add(&watch[*settling[T]]{
		action: e.watched(), key: it, how: e.ending, void: e.ending == unseen, until: e.Due(2 * s.settle),
	}, time.Now())
}

// See processes updates and deletions of tasks, in the order of the stream. Those of the
// transaction that made an event come after the event.
func (s *Settler[T]) See(xid uint32, signs []Sign) {
	if len(signs) == 0 {
		return
	}
	s.mu.Lock()
	ended := false
	for i := range signs {
		if signs[i].begun != 0 {
			now := time.Now()
			s.watches.begin(&signs[i], now, now.Add(s.settle))
			continue
		}
		s.watches.see(&signs[i], func(it *settling[T]) {
			if it != nil && it.event != nil {
				if it.awaits--; it.awaits > 0 {
					return
				}
				it.event.EndedBy, it.ended, it.due = xid, it.event.ending, time.Time{}
				s.waiting.hasten(it)
				ended = true
			}
		})
	}
	s.mu.Unlock()
	if ended {
		s.notify()
	}
}

// Flush makes all present and later events due immediately, for a shutdown.
func (s *Settler[T]) Flush() { s.set(&s.flushed) }

// Close states that nothing will be added.
func (s *Settler[T]) Close() { s.set(&s.closed) }

func (s *Settler[T]) set(state *bool) {
	s.mu.Lock()
	*state = true
	s.mu.Unlock()
	s.notify()
}

func (s *Settler[T]) notify() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Len returns the number of waiting events.
func (s *Settler[T]) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready.len() + s.waiting.size
}

// Next waits until an event may leave, and returns the items of those that may, at most
// limit, in the order of adding. It returns io.EOF once the settler is closed and empty,
// and the context's error if that ends first.
func (s *Settler[T]) Next(ctx context.Context, limit int) ([]T, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		items, wait, err := s.leaving(limit)
		if len(items) > 0 || err != nil {
			return items, err
		}
		var due <-chan time.Time
		if wait >= 0 {
			due = time.After(wait)
		}
		select {
		case <-ctx.Done():
		case <-s.changed:
		case <-due:
		}
	}
}

// More returns what may leave within that time, at most limit. It returns early only if
// limit items are ready or ctx ends.
func (s *Settler[T]) More(ctx context.Context, limit int, within time.Duration) []T {
	if s.Len() < limit {
		ctx, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		<-ctx.Done()
	}
	items, _, _ := s.leaving(limit)
	return items
}

// leaving returns what may leave, or else how long to wait for the first; negative:
// indefinitely.
func (s *Settler[T]) leaving(limit int) ([]T, time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := s.ready.len() + s.waiting.size
	if size == 0 {
		if s.closed {
			return nil, 0, io.EOF
		}
		return nil, -1, nil
	}
	leaving := make([]readied[T], 0, min(max(limit, 1), size))
	now := time.Now()
	for len(leaving) < cap(leaving) {
		first := s.waiting.first()
		if first != nil && !s.flushed && first.due.After(now) {
			first = nil
		}
		if s.ready.len() > 0 && (first == nil || s.ready.first().number < first.number) {
			leaving = append(leaving, s.ready.pop())
			continue
		}
		if first == nil {
			break
		}
		s.waiting.remove(first)
		leaving = append(leaving, first.readied)
		var none T
		first.event, first.item = nil, none // its watch may outlive it and must not hold its payload
	}
	if len(leaving) == 0 {
		return nil, s.waiting.first().due.Sub(now), nil
	}
	slices.SortFunc(leaving, func(a, b readied[T]) int { return cmp.Compare(a.number, b.number) })
	items := make([]T, len(leaving))
	for i := range leaving {
		items[i] = leaving[i].item
		s.metrics.settling[min(leaving[i].ended, saved)].Inc()
	}
	return items, 0, nil
}
