package dispatch

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// awayStore is a store whose database is away at times: it refuses connections at once.
type awayStore struct {
	*fakeStore
	away  atomic.Bool
	asked atomic.Int64 // for bodies
}

func (s *awayStore) Apply(ctx context.Context, b state.Batch) error {
	if s.away.Load() {
		return errAway
	}
	return s.fakeStore.Apply(ctx, b)
}

func (s *awayStore) Bodies(ctx context.Context, hook int64, events []mapping.ID) (map[mapping.ID][]byte, error) {
	s.asked.Add(1)
	if s.away.Load() {
		return nil, errAway
	}
	return s.fakeStore.Bodies(ctx, hook, events)
}

// TestStoreAwayForLong: while the store does not answer, what waits for it does not grow
// with time, whether the receivers work or not. Everything is delivered when it answers
// again.
func TestStoreAwayForLong(t *testing.T) {
	for name, status := range map[string]int{"receiver works": 0, "receiver fails": 503} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const many = 100
				store, answers := &awayStore{fakeStore: newFakeStore()}, newStatuses(status, "h1")
				for n := range many {
					e := dispatchtest.Event(n, int64(n+1))
					store.rows[state.Key{Hook: 1, Event: e.ID}] = state.Row{
						Key: state.Key{Hook: 1, Event: e.ID}, Action: e.Action, Project: 1, Task: e.Task, Added: time.Now(), Committed: e.Committed,
						Body: mapping.BodyOf([]byte("{}")), Bytes: 2, State: state.Parked, Attempts: 4,
					}
				}
				store.away.Store(true)
				b := newBench(t, Options{Store: store}, func(r *http.Request) (*http.Response, error) { return answers.round(r) }, hostRow(1))
				backlogs, _ := store.backlogs(t.Context())
				b.Restore(backlogs, nil)
				<-time.After(10 * time.Minute)
				b.store.mu.Lock()
				waiting := len(b.store.operations)
				b.store.mu.Unlock()
				if waiting > many || store.asked.Load() == 0 {
					t.Errorf("%d operations wait after %d questions", waiting, store.asked.Load())
				}
				answers.set("h1", 200)
				store.away.Store(false)
				b.Retry(1)
				<-time.After(10 * time.Minute)
				synctest.Wait()
				if n := store.size(); n != 0 {
					t.Errorf("%d are still parked", n)
				}
			})
		})
	}
}
