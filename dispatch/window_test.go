package dispatch

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// After a crash the stream repeats events that precede stored ones while these are being
// read: no row is left behind, and each event is delivered, in order.
func TestReplayWhileTheTailIsRead(t *testing.T) {
	for _, replayed := range []bool{false, true} { // the stored one as well
		synctest.Test(t, func(t *testing.T) {
			store := newFakeStore()
			store.takes = 3 * time.Millisecond
			stored := dispatchtest.Event(5, 2)
			row := state.Row{
				Key: state.Key{Hook: 1, Event: stored.ID}, Action: stored.Action, Project: 1, Task: 2,
				Committed: stored.Committed, Body: mapping.BodyOf([]byte("{}")), Added: time.Now(),
			}
			if err := store.Apply(t.Context(), state.Batch{Insert: []state.Row{row}}); err != nil {
				t.Fatal(err)
			}
			var sent []string
			b := newBench(t, Options{Store: store, Concurrency: 1}, func(r *http.Request) (*http.Response, error) {
				sent = append(sent, r.Header.Get("Idempotency-Key"))
				return dispatchtest.Answer(200), nil
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
			if rows := events(store.list(1, state.Parked)); len(rows) != 0 || b.lanes[1].window.tail.open {
				t.Errorf("replayed %t: events %v are left in the store, tail %t", replayed, rows, b.lanes[1].window.tail.open)
			}
			if diff := cmp.Diff([]string{dispatchtest.Event(1, 1).ID.String(), stored.ID.String()}, sent); diff != "" {
				t.Errorf("replayed %t: sent (-want +got):\n%s", replayed, diff)
			}
		})
	}
}

// The windows of any number of lanes with a tail keep to the shared room, or to the least
// that a lane needs, and a chunk fits into a window.
func TestWindowsShareTheirRoom(t *testing.T) {
	for _, n := range []int32{0, 1, 2, 5, 100, 10_000} {
		var w windows
		for range n {
			w.count(true)
		}
		w.lanes.Store(n)
		if all := w.most() * int(n); all > max(windowsRoom, leastWindow*int(n)) {
			t.Errorf("%d lanes: windows of %d", n, w.most())
		}
		if w.chunk() > w.most() || w.fewest() > w.chunk() || w.scarce() < 1 || w.chunk() < leastChunk {
			t.Errorf("%d lanes: at most %d, %d at a time, %d at the least, below %d more", n, w.most(), w.chunk(), w.fewest(), w.scarce())
		}
		if bytes := w.fetch() * int(n); bytes > max(fetchRoom, leastFetch*int(n)) {
			t.Errorf("%d lanes: bodies of %d bytes", n, w.fetch())
		}
		for range n {
			w.count(false)
		}
		if w.most() != mostWindow || w.chunk() != mostChunk {
			t.Errorf("after %d lanes: a window of %d, %d at a time", n, w.most(), w.chunk())
		}
	}
}

// Deliveries that have passed a held one return to their places when it is done: those
// that followed it may still be in the tail.
func TestWhatHasPassedGoesBack(t *testing.T) {
	var room windows
	w, now := newWindow(&room, true, nil), time.Unix(1e9, 0)
	stored := func(n int, task int64) *delivery {
		row := state.Row{Key: state.Key{Hook: 1, Event: dispatchtest.Event(n, task).ID}, Project: 1, Task: task, Added: now}
		return restored(&row, now, time.Hour)
	}
	accept := func(n int, task int64) {
		e := dispatchtest.Event(n, task)
		w.accept(newDelivery(deliveryTo(1, e, nil), newSharedEvent(e, 1), now), true)
	}
	accept(1, 7)
	for range heldAttempts + 1 {
		d, _ := w.next(terms{now: now})
		d.fails(send.Outcome{Result: send.Result5xx, Status: 500}, false)
		w.retryAt(d, delay{now: now, due: now, at: now, save: true, failed: true})
		now = now.Add(heldFor)
	}
	w.rewind(theEnd())
	accept(2, 7)
	accept(3, 0)
	if q := w.wantsHeads(true); q == nil || len(q.heads.Passed) != 1 {
		t.Fatalf("wants %+v", q)
	}
	w.loaded([]*delivery{stored(3, 0)})
	if d := newestUntried(w.agenda.schedule.all()); d == nil || d.event.Ordinal != 3 {
		t.Fatalf("%v has not passed what is held", d)
	}
	w.agenda.release(now)
	for d := range w.agenda.schedule.all() {
		if d.held {
			w.handOut(d)
			w.done(d, verdict{step: drop}, now)
		}
	}
	if d := newestUntried(w.agenda.schedule.all()); d != nil {
		t.Fatalf("event %d may go before what followed the held one", d.event.Ordinal)
	}
	if q, _ := w.wants(need{now: now}); q == nil || q.heads != nil {
		t.Fatalf("wants %+v", q)
	}
	w.loaded([]*delivery{stored(2, 7), stored(3, 0)})
	first, _ := w.next(terms{now: now})
	if second, _ := w.next(terms{now: now}); first == nil || first.event.Ordinal != 2 || second != nil {
		t.Errorf("%v and %v may go", first, second)
	}
}

// A delivered row's removal does not hold the body while it waits for a slow store.
func TestNotesHoldNoBodies(t *testing.T) {
	var room windows
	now := time.Unix(1e9, 0)
	w := newWindow(&room, true, func(int) time.Duration { return time.Second })
	w.rewind(theEnd())
	if q, _ := w.wants(need{now: now}); q == nil {
		t.Fatal("the window reads nothing")
	}
	row := state.Row{Key: state.Key{Hook: 1, Event: dispatchtest.Event(1, 1).ID}, Project: 1, Task: 1, Bytes: 2, Added: now}
	w.loaded([]*delivery{restored(&row, now, time.Hour)})
	d, _ := w.next(terms{now: now})
	if d == nil {
		t.Fatal("the delivery does not go")
	}
	d.body = []byte("{}")
	operations := w.done(d, verdict{step: deliver}, now)
	if len(operations) != 1 || operations[0].kind != remove || operations[0].delivery != d || d.body != nil {
		t.Errorf("%d operations, body %q; want one that removes the row, without a body", len(operations), d.body)
	}
}
