package dispatch

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/retry"
	"github.com/hooktail/hooktail/mapping"
)

// fakeStore is a Store in memory. It outlives dispatchers.
type fakeStore struct {
	mu        sync.Mutex
	rows      map[state.Key]state.Row
	inserted  int // ever
	applied   int // batches
	suspended map[int64]mapping.ID
	held      map[int64]time.Time

	takes  time.Duration         // each call
	faults func(applied int) int // what is wrong with that batch
}

// Faults of a batch.
const (
	noFault   = iota
	notMade   // it is not made
	notHeard  // it is made, but the connection is lost before the answer
	faultKind // how many there are
)

var errAway = errors.New("the database is away")

func newFakeStore() *fakeStore {
	return &fakeStore{rows: make(map[state.Key]state.Row), suspended: make(map[int64]mapping.ID), held: make(map[int64]time.Time)}
}

func (s *fakeStore) Apply(ctx context.Context, b state.Batch) error {
	_ = retry.Sleep(ctx, s.takes)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.applied++
	fault := noFault
	if s.faults != nil {
		fault = s.faults(s.applied)
	}
	if fault == notMade || ctx.Err() != nil {
		return errAway
	}
	for _, row := range b.Insert {
		if _, there := s.rows[row.Key]; !there {
			row.Bytes, row.State = row.Body.Len(), cmp.Or(row.State, state.Parked)
			s.rows[row.Key] = row
			s.inserted++
		}
	}
	for _, a := range b.Update {
		s.change(a, func(row *state.Row) {})
	}
	for _, a := range b.Bury {
		s.change(a, func(row *state.Row) { row.State, row.Reason, row.Next = state.Dead, a.Reason, time.Time{} })
	}
	for _, key := range b.Delete {
		delete(s.rows, key)
	}
	if fault == notHeard {
		return errAway
	}
	return nil
}

func (s *fakeStore) change(a state.Attempt, also func(*state.Row)) {
	if row, there := s.rows[a.Key]; there && row.State == state.Parked {
		row.Attempts, row.Next, row.LastResult, row.LastStatus = a.Attempts, a.Next, a.LastResult, a.LastStatus
		also(&row)
		s.rows[a.Key] = row
	}
}

func (s *fakeStore) Tail(ctx context.Context, p state.Part) ([]state.Row, error) {
	_ = retry.Sleep(ctx, s.takes)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	rows := s.list(p.Hook, state.Parked)
	rows = slices.DeleteFunc(rows, func(r state.Row) bool { return state.Compare(r.Event, p.After) <= 0 })
	rows = rows[:min(len(rows), p.Rows)]
	for i := range rows {
		rows[i].Body = mapping.Body{}
	}
	return rows, nil
}

func (s *fakeStore) Heads(ctx context.Context, h state.Heads) ([]state.Row, error) {
	_ = retry.Sleep(ctx, s.takes)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	rows := s.list(h.Hook, state.Parked)
	var heads []state.Row
	for i := len(rows) - 1; i >= 0 && len(heads) < h.Rows; i-- {
		task := state.Task{Project: rows[i].Project, Task: rows[i].Task}
		waits := slices.ContainsFunc(rows[:i], func(r state.Row) bool {
			return r.Project == task.Project && (r.Task == task.Task ||
				(r.Task == 0 || task.Task == 0) && !slices.Contains(h.Passed, state.Task{Project: r.Project, Task: r.Task}))
		})
		if !waits && rows[i].Attempts == 0 && rows[i].Event.Commit <= h.Upto && !slices.Contains(h.Passed, task) && !slices.Contains(h.Known, task) {
			rows[i].Body = mapping.Body{}
			heads = append(heads, rows[i])
		}
	}
	return heads, nil
}

func (s *fakeStore) Bodies(ctx context.Context, hook int64, events []mapping.ID) (map[mapping.ID][]byte, error) {
	_ = retry.Sleep(ctx, s.takes)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	bodies := make(map[mapping.ID][]byte)
	for _, id := range events {
		if row, there := s.rows[state.Key{Hook: hook, Event: id}]; there && row.State == state.Parked {
			bodies[id] = row.Body.Bytes()
		}
	}
	return bodies, nil
}

func (s *fakeStore) Suspend(_ context.Context, hook int64, from mapping.ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, already := s.suspended[hook]; !already {
		s.suspended[hook] = from
	}
	return nil
}

// list returns the hook's rows in that state, in order.
func (s *fakeStore) list(hook int64, in state.State) []state.Row {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rows []state.Row
	for row := range maps.Values(s.rows) {
		if row.Hook == hook && row.State == in {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b state.Row) int { return state.Compare(a.Event, b.Event) })
	return rows
}

func (s *fakeStore) Hold(_ context.Context, hook int64, wait time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[hook] = time.Now().Add(wait)
	return nil
}

// holds returns the settings of hooks, as state.Store does.
func (s *fakeStore) holds() (settings []state.Setting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for hook, until := range s.held {
		settings = append(settings, state.Setting{Hook: hook, Held: max(0, time.Until(until))})
	}
	return settings
}

// events returns the ordinals of the rows' events.
func events(rows []state.Row) []int {
	var out []int
	for _, row := range rows {
		out = append(out, row.Event.Ordinal)
	}
	return out
}

// writes returns the number of rows inserted so far.
func (s *fakeStore) writes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inserted
}

// size returns the number of rows.
func (s *fakeStore) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.rows)
}

// backlogs counts rows as state.Store does.
func (s *fakeStore) backlogs(context.Context) ([]state.Backlog, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	byHook := make(map[int64]*state.Backlog)
	for row := range maps.Values(s.rows) {
		b := byHook[row.Hook]
		if b == nil {
			b = &state.Backlog{Hook: row.Hook}
			byHook[row.Hook] = b
		}
		volume := &b.Parked
		if row.State == state.Dead {
			volume = &b.Dead
		}
		volume.Rows++
		volume.Bytes += int64(row.Bytes)
	}
	var out []state.Backlog
	for _, b := range byHook {
		out = append(out, *b)
	}
	return out, nil
}

// redrive does what state.Store does for `deliveries redrive`.
func (s *fakeStore) redrive(hook int64) []state.Row {
	rows := s.list(hook, state.Dead)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range rows {
		row := &rows[i]
		row.State, row.Reason, row.Attempts, row.Added = state.Parked, "", 0, time.Now()
		s.rows[row.Key] = *row
	}
	return rows
}
