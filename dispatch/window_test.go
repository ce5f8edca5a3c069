package dispatch

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/dispatch/parking"
	"github.com/hooktail/hooktail/mapping"
)

// After a crash the stream brings events once more that come before what is stored, just
// when that is being read: no row is left behind, and each event is delivered, in order.
func TestReplayWhileTheTailIsRead(t *testing.T) {
	for _, replayed := range []bool{false, true} { // the stored one as well
		synctest.Test(t, func(t *testing.T) {
			store := newFakeStore()
			store.takes = 3 * time.Millisecond
			stored := makeEvent(5, 2)
			row := parking.Row{
				Key: parking.Key{Hook: 1, Event: stored.ID}, Action: stored.Action, Project: 1, Task: 2,
				Committed: stored.Committed, Body: mapping.BodyOf([]byte("{}")), Added: time.Now(),
			}
			if err := store.Apply(t.Context(), parking.Batch{Insert: []parking.Row{row}}); err != nil {
				t.Fatal(err)
			}
			var sent []string
			b := newBench(t, Options{Store: store, Concurrency: 1}, func(r *http.Request) (*http.Response, error) {
				sent = append(sent, r.Header.Get("Idempotency-Key"))
				return answerWith(200), nil
			}, hostRow(1))
			backlogs, err := store.backlogs(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			b.Restore(backlogs, nil)
			b.enqueue(t, 1, 1, 1)
			if replayed {
				b.enqueue(t, 1, 5, 2)
			}
			<-time.After(time.Hour)
			synctest.Wait()
			if rows := events(store.list(1, parking.Parked)); len(rows) != 0 || b.lanes[1].tail {
				t.Errorf("replayed %t: events %v are left in the store, tail %t", replayed, rows, b.lanes[1].tail)
			}
			if diff := cmp.Diff([]string{makeEvent(1, 1).ID.String(), stored.ID.String()}, sent); diff != "" {
				t.Errorf("replayed %t: sent (-want +got):\n%s", replayed, diff)
			}
		})
	}
}
