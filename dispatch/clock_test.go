package dispatch

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// TestClockSetWhileRestored: a delivery that was read from the store waits for a duration,
// not for a time of day: setting the clock neither delays it nor makes it expire. The
// times of a lane must have monotonic readings for that, which rows do not have.
func TestClockSetWhileRestored(t *testing.T) {
	now := time.Now()
	for _, wait := range []time.Duration{time.Minute, 100 * time.Hour} {
		d := restored(&state.Row{Attempts: 4, Added: now.Add(-time.Hour).Round(0), Next: now.Add(wait).Round(0)}, now, time.Hour)
		if at := d.at.Sub(now); at != min(wait, time.Hour) {
			t.Errorf("waits %s of %s", at, wait)
		}
		for name, at := range map[string]time.Time{"next attempt": d.at, "added": d.added} {
			if !strings.Contains(at.String(), " m=") {
				t.Errorf("%s: %s has no monotonic reading", name, at)
			}
		}
	}
}

// TestClockSetBackWhileParked: deliveries parked by a clock that was a year ahead do not
// wait until then, and keep their place in the order.
func TestClockSetBackWhileParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, ahead := newFakeStore(), time.Now().AddDate(1, 0, 0)
		for n := range 3 {
			key := state.Key{Hook: 1, Event: dispatchtest.Event(n, 7).ID}
			row := state.Row{Key: key, Action: mapping.AnnotationCreated, Project: 1, Task: 7, Body: mapping.BodyOf([]byte("{}")), Bytes: 2, State: state.Parked, Attempts: 4, Added: ahead, Committed: ahead}
			if n == 0 {
				row.Next = ahead.Add(time.Minute)
			}
			store.rows[key] = row
		}
		var got []string
		b := newBench(t, Options{Store: store}, func(r *http.Request) (*http.Response, error) {
			got = append(got, r.Header["webhook-id"][0]) //nolint:staticcheck // written as on the wire
			return dispatchtest.Answer(200), nil
		}, hostRow(1))
		backlogs, _ := store.backlogs(t.Context())
		b.Restore(backlogs, nil)
		time.Sleep(time.Hour + time.Minute) //nolint:forbidigo // of the bubble
		synctest.Wait()
		if want := strings.Join(ids(0, 2), " "); strings.Join(got, " ") != want {
			t.Errorf("sent %v within an hour, want %s", got, want)
		}
	})
}
