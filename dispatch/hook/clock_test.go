package hook

import (
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/mapping"
)

// TestNoClockDecidesWhoGetsAnEvent: neither the application's, which made created_at, nor
// the database's, which made the time of the commit.
func TestNoClockDecidesWhoGetsAnEvent(t *testing.T) {
	db := cdctest.Postgres(t).LabelStudio(t)
	db.Exec(t, "UPDATE webhook SET is_active = false WHERE id > 1")
	for _, created := range []string{"now() + interval '1 hour'", "'infinity'", "'-infinity'", "'0044-03-15 BC'", "'20000-01-01'"} {
		db.Exec(t, "UPDATE webhook SET created_at = "+created)
		h := NewSet(Options{Log: slog.New(slog.DiscardHandler)})
		if err := h.Load(t.Context(), db.Connect(t)); err != nil {
			t.Fatalf("created at %s: %v", created, err)
		}
		past := time.Now().Add(-time.Hour)
		e := &mapping.Event{Action: mapping.AnnotationCreated, Organization: 1, Project: 1, Committed: past}
		if got, want := targets(h.Match(e, nil)), "1:ANNOTATION_CREATED"; got != want {
			t.Errorf("created at %s: matches of a commit in the past %s, want %s", created, got, want)
		}
		e.ID.Commit = math.MaxUint64 - 1
		h.Advance(uint64(e.ID.Commit))
		apply(t, h, RowChange{Table: Webhook, Row: dispatchtest.HookRow(2, "http://x/")})
		if got, want := targets(h.Match(e, nil)), "1:ANNOTATION_CREATED 2:ANNOTATION_CREATED"; got != want {
			t.Errorf("created at %s: matches after the clock was set back %s, want %s", created, got, want)
		}
	}
}
