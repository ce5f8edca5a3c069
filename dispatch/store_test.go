package dispatch

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hooktail/hooktail/dispatch/parking"
	"github.com/hooktail/hooktail/mapping"
)

// fakeStore is a Store in memory. It outlives dispatchers.
type fakeStore struct {
	mu        sync.Mutex
	rows      map[parking.Key]parking.Row
	inserted  int // ever
	applied   int // batches
	suspended map[int64]mapping.ID

	takes  time.Duration         // each call
	faults func(applied int) int // what is wrong with that batch
}

// What can be wrong with a batch.
const (
	noFault   = iota
	notMade   // it is not made
	notHeard  // it is made, but the connection is lost before the answer
	faultKind // how many there are
)

var errAway = errors.New("the database is away")

func newFakeStore() *fakeStore {
	return &fakeStore{rows: make(map[parking.Key]parking.Row), suspended: make(map[int64]mapping.ID)}
}

func (s *fakeStore) Apply(ctx context.Context, b parking.Batch) error {
	pause(ctx, s.takes)
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
			row.Bytes, row.State = row.Body.Len(), cmp.Or(row.State, parking.Parked)
			s.rows[row.Key] = row
			s.inserted++
		}
	}
	for _, a := range b.Update {
		s.change(a, func(row *parking.Row) {})
	}
	for _, a := range b.Bury {
		s.change(a, func(row *parking.Row) { row.State, row.Reason, row.Next = parking.Dead, a.Reason, time.Time{} })
	}
	for _, key := range b.Delete {
		delete(s.rows, key)
	}
	if fault == notHeard {
		return errAway
	}
	return nil
}

func (s *fakeStore) change(a parking.Attempt, also func(*parking.Row)) {
	if row, there := s.rows[a.Key]; there && row.State == parking.Parked {
		row.Attempts, row.Next, row.LastResult, row.LastStatus = a.Attempts, a.Next, a.LastResult, a.LastStatus
		also(&row)
		s.rows[a.Key] = row
	}
}

func (s *fakeStore) Tail(ctx context.Context, p parking.Part) ([]parking.Row, error) {
	pause(ctx, s.takes)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	rows := s.list(p.Hook, parking.Parked)
	rows = slices.DeleteFunc(rows, func(r parking.Row) bool { return parking.Compare(r.Event, p.After) <= 0 })
	rows = rows[:min(len(rows), p.Rows)]
	for i := range rows {
		rows[i].Body = mapping.Body{}
	}
	return rows, nil
}

func (s *fakeStore) Heads(ctx context.Context, h parking.Heads) ([]parking.Row, error) {
	pause(ctx, s.takes)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	rows := s.list(h.Hook, parking.Parked)
	var heads []parking.Row
	for i := len(rows) - 1; i >= 0 && len(heads) < h.Rows; i-- {
		task := parking.Task{Project: rows[i].Project, Task: rows[i].Task}
		waits := slices.ContainsFunc(rows[:i], func(r parking.Row) bool {
			return r.Project == task.Project && (r.Task == task.Task ||
				(r.Task == 0 || task.Task == 0) && !slices.Contains(h.Passed, parking.Task{Project: r.Project, Task: r.Task}))
		})
		if !waits && rows[i].Attempts == 0 && rows[i].Event.Commit <= h.Upto && !slices.Contains(h.Passed, task) && !slices.Contains(h.Known, task) {
			rows[i].Body = mapping.Body{}
			heads = append(heads, rows[i])
		}
	}
	return heads, nil
}

func (s *fakeStore) Bodies(ctx context.Context, hook int64, events []mapping.ID) (map[mapping.ID][]byte, error) {
	pause(ctx, s.takes)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	bodies := make(map[mapping.ID][]byte)
	for _, id := range events {
		if row, there := s.rows[parking.Key{Hook: hook, Event: id}]; there && row.State == parking.Parked {
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

// list is the hook's rows in that state, in order.
func (s *fakeStore) list(hook int64, state parking.State) []parking.Row {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rows []parking.Row
	for row := range maps.Values(s.rows) {
		if row.Hook == hook && row.State == state {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b parking.Row) int { return parking.Compare(a.Event, b.Event) })
	return rows
}

// events is the ordinals of the rows' events.
func events(rows []parking.Row) []int {
	var out []int
	for _, row := range rows {
		out = append(out, row.Event.Ordinal)
	}
	return out
}

// writes is how many rows were ever inserted.
func (s *fakeStore) writes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inserted
}

// size is how many rows there are.
func (s *fakeStore) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.rows)
}

// backlogs is what parking.Store counts.
func (s *fakeStore) backlogs(context.Context) ([]parking.Backlog, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	byHook := make(map[int64]*parking.Backlog)
	for row := range maps.Values(s.rows) {
		b := byHook[row.Hook]
		if b == nil {
			b = &parking.Backlog{Hook: row.Hook}
			byHook[row.Hook] = b
		}
		volume := &b.Parked
		if row.State == parking.Dead {
			volume = &b.Dead
		}
		volume.Rows++
		volume.Bytes += int64(row.Bytes)
	}
	var out []parking.Backlog
	for _, b := range byHook {
		out = append(out, *b)
	}
	return out, nil
}

// redrive is what parking.Store does for a person.
func (s *fakeStore) redrive(hook int64) []parking.Row {
	rows := s.list(hook, parking.Dead)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range rows {
		row := &rows[i]
		row.State, row.Reason, row.Attempts, row.Added = parking.Parked, "", 0, time.Now()
		s.rows[row.Key] = *row
	}
	return rows
}
