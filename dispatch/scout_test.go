package dispatch

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/retry"
)

// scoutedStore is a store in which finding heads takes long.
type scoutedStore struct {
	*fakeStore
	took atomic.Int64
}

func (s *scoutedStore) Heads(ctx context.Context, h state.Heads) ([]state.Row, error) {
	const long = 100 * time.Millisecond
	s.took.Add(int64(long))
	_ = retry.Sleep(ctx, long)
	return s.fakeStore.Heads(ctx, h)
}

// TestScoutingOfManyHooks: what many dead hooks ask the database takes a small part of its
// time, although new events arrive for all of them. The probes go on.
func TestScoutingOfManyHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hooks, minutes = 60, 10
		store := &scoutedStore{fakeStore: newFakeStore()}
		var rows []dispatchtest.Row
		for id := range hooks {
			rows = append(rows, hostRow(int64(id+1)))
		}
		var mu sync.Mutex
		probes := make(map[string]int)
		b := newBench(t, Options{Store: store}, func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			probes[r.URL.Host]++
			return dispatchtest.Answer(503), nil
		}, rows...)
		event := 0
		each := func() {
			for id := range hooks {
				event++
				b.enqueue(t, int64(id+1), event, event)
			}
		}
		for range 100 {
			each()
		}
		<-time.After(2 * time.Minute) // all of them are failing
		begun, before := time.Now(), store.took.Load()
		mu.Lock()
		clear(probes)
		mu.Unlock()
		for range minutes * 60 / 5 {
			each()
			<-time.After(5 * time.Second)
		}
		took, all := time.Duration(store.took.Load()-before), time.Since(begun)
		if took > all/5 || took == 0 {
			t.Errorf("finding heads took %s of %s", took, all)
		}
		mu.Lock()
		defer mu.Unlock()
		for id := range hooks {
			if host := "h" + strconv.Itoa(id+1); probes[host] < minutes {
				t.Errorf("%s: %d probes in %s", host, probes[host], all)
			}
		}
	})
}
