package dispatch

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// TestNoClockDecidesWhoGetsAnEvent: neither the application's, which made created_at, nor
// the database's, which made the time of the commit.
func TestNoClockDecidesWhoGetsAnEvent(t *testing.T) {
	db := cdctest.Postgres(t).LabelStudio(t)
	db.Exec(t, "UPDATE webhook SET is_active = false WHERE id > 1")
	for _, created := range []string{"now() + interval '1 hour'", "'infinity'", "'-infinity'", "'0044-03-15 BC'", "'20000-01-01'"} {
		db.Exec(t, "UPDATE webhook SET created_at = "+created)
		h := NewHooks(HooksOptions{Log: slog.New(slog.DiscardHandler)})
		if err := h.Load(t.Context(), db.Connect(t)); err != nil {
			t.Fatalf("created at %s: %v", created, err)
		}
		past := time.Now().Add(-time.Hour)
		e := &mapping.Event{Action: mapping.AnnotationCreated, Organization: 1, Project: 1, Committed: past}
		if got, want := targets(h.Match(e, nil)), "1:ANNOTATION_CREATED"; got != want {
			t.Errorf("created at %s: matches of a commit in the past %s, want %s", created, got, want)
		}
		e.ID.Commit = theEnd().Commit - 1
		h.Advance(uint64(e.ID.Commit))
		apply(t, h, RowChange{Table: Webhook, Row: hookRow(2, "http://x/")})
		if got, want := targets(h.Match(e, nil)), "1:ANNOTATION_CREATED 2:ANNOTATION_CREATED"; got != want {
			t.Errorf("created at %s: matches after the clock was set back %s, want %s", created, got, want)
		}
	}
}

// TestClockSetBackWhileParked: what was parked by a clock that was a year ahead is
// not kept waiting until then, and keeps its place in the order.
func TestClockSetBackWhileParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, ahead := newFakeStore(), time.Now().AddDate(1, 0, 0)
		for n := range 3 {
			key := state.Key{Hook: 1, Event: makeEvent(n, 7).ID}
			row := state.Row{Key: key, Action: mapping.AnnotationCreated, Project: 1, Task: 7, Body: mapping.BodyOf([]byte("{}")), Bytes: 2, State: state.Parked, Attempts: 4, Added: ahead, Committed: ahead}
			if n == 0 {
				row.Next = ahead.Add(time.Minute)
			}
			store.rows[key] = row
		}
		var got []string
		b := newBench(t, Options{Store: store}, func(r *http.Request) (*http.Response, error) {
			got = append(got, r.Header["webhook-id"][0]) //nolint:staticcheck // written as on the wire
			return answerWith(200), nil
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
