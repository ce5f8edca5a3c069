package dispatch

import (
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// committed returns the n-th event, with a commit of its own.
func committed(n int, task int64) *mapping.Event {
	e := dispatchtest.Event(n, task)
	e.ID.Commit = cdc.LSN(1000 + n)
	return e
}

// parkCommitted stores the events of these numbers, all of one task, for hook 1.
func parkCommitted(t *testing.T, store *fakeStore, numbers ...int) {
	t.Helper()
	for _, n := range numbers {
		e := committed(n, 7)
		row := state.Row{
			Key: state.Key{Hook: 1, Event: e.ID}, Action: e.Action, Project: 1, Task: 7,
			Committed: e.Committed, Body: mapping.BodyOf([]byte("{}")), Added: time.Now(),
		}
		if err := store.Apply(t.Context(), state.Batch{Insert: []state.Row{row}}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStoredWaitsForTheStream: after a crash, a stored event that is newer than the
// confirmed position is sent once, after the older ones that the stream repeats, even if its
// commit record begins at the position. Stored events before the position are sent immediately.
func TestStoredWaitsForTheStream(t *testing.T) {
	for _, tt := range []struct {
		again     bool // the stream brings the stored one again
		confirmed cdc.LSN
	}{{true, 1002}, {false, 1002}, {true, 1003}} {
		synctest.Test(t, func(t *testing.T) {
			store := newFakeStore()
			parkCommitted(t, store, 1, 3)
			var sent []string
			b := newBench(t, Options{Store: store}, func(r *http.Request) (*http.Response, error) {
				sent = append(sent, r.Header.Get("Idempotency-Key"))
				return dispatchtest.Answer(200), nil
			}, hostRow(1))
			b.Passed(tt.confirmed)
			backlogs, _ := store.backlogs(t.Context())
			b.Restore(backlogs, nil)
			<-time.After(time.Hour)
			want := []string{committed(1, 7).ID.String()}
			if diff := cmp.Diff(want, sent); diff != "" {
				t.Errorf("before the stream has come that far (-want +got):\n%s", diff)
			}
			for n := 2; n < 4; n++ {
				if n == 3 && !tt.again {
					break
				}
				if err := b.Enqueue(t.Context(), []Delivery{deliveryTo(1, committed(n, 7), nil)}); err != nil {
					t.Fatal(err)
				}
			}
			b.drain(t)
			b.Passed(1004)
			<-time.After(time.Minute)
			want = append(want, committed(2, 7).ID.String(), committed(3, 7).ID.String())
			if diff := cmp.Diff(want, sent); diff != "" || store.size() != 0 {
				t.Errorf("%d rows are left; sent (-want +got):\n%s", store.size(), diff)
			}
		})
	}
}

// TestStoredByAnotherServer: deliveries that were parked on another server, whose WAL was
// longer, do not wait until this server's WAL is as long. They wait for what is stored
// of this server.
func TestStoredByAnotherServer(t *testing.T) {
	const end = 1005 // of the WAL, after the restart
	for _, confirmed := range []cdc.LSN{1002, end} {
		synctest.Test(t, func(t *testing.T) {
			store := newFakeStore()
			parkCommitted(t, store, 1, 3, 1<<40)
			var sent []string
			b := newBench(t, Options{Store: store}, func(r *http.Request) (*http.Response, error) {
				sent = append(sent, r.Header.Get("Idempotency-Key"))
				return dispatchtest.Answer(200), nil
			}, hostRow(1))
			b.Passed(confirmed)
			backlogs, _ := store.backlogs(t.Context())
			for i := range backlogs {
				backlogs[i].End = end
			}
			b.Restore(backlogs, nil)
			want := []string{committed(1, 7).ID.String(), committed(3, 7).ID.String(), committed(1<<40, 7).ID.String()}
			for n, position := range []cdc.LSN{confirmed, 1004, end, end + 100} {
				b.Passed(position)
				<-time.After(time.Minute)
				if due := min(n+1, 3); confirmed < end && !slices.Equal(sent, want[:due]) {
					t.Errorf("at %d: sent %v, want %v", position, sent, want[:due])
				}
			}
			if !slices.Equal(sent, want) || store.size() != 0 {
				t.Errorf("confirmed %d: sent %v, want %v", confirmed, sent, want)
			}
		})
	}
}

// TestConfirmedAfterTheRowsBeforeIt: an event is not done while the row of an event
// delivered before it still exists: after a crash the earlier one would be sent again,
// alone.
func TestConfirmedAfterTheRowsBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &stuckStore{fakeStore: newFakeStore()}
		answers := newStatuses(500, "h1")
		b := newBench(t, Options{Store: store}, answers.round, hostRow(1))
		b.enqueue(t, 1, 1, 7)
		<-time.After(10 * time.Second)
		if n := len(store.list(1, state.Parked)); n != 1 {
			t.Fatalf("%d are parked", n)
		}
		store.stuck.Store(true)
		answers.set("h1", 200)
		<-time.After(10 * time.Second) // delivered, and the row is still there
		b.enqueue(t, 1, 2, 7)
		<-time.After(10 * time.Second)
		if n := store.size(); n != 1 || slices.Contains(b.finished(), 2) {
			t.Errorf("%d rows, done: %v", n, b.finished())
		}
		store.stuck.Store(false)
		<-time.After(10 * time.Minute)
		synctest.Wait()
		if n := store.size(); n != 0 || !slices.Contains(b.finished(), 2) {
			t.Errorf("%d rows, done: %v", n, b.finished())
		}
	})
}
