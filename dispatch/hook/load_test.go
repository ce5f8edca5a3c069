package hook

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/mapping"
)

func TestLoadReadsTheBase(t *testing.T) {
	db := cdctest.Postgres(t).LabelStudio(t)
	conn := db.Connect(t)
	h := NewSet(Options{Log: slog.New(slog.DiscardHandler)})
	if err := h.Load(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	if n := len(h.All()); n != 10 {
		t.Fatalf("%d hooks", n)
	}
	five, _ := h.Hook(5)
	if got := five.Headers.String(); got != "Authorization: ***, X-Team: ***" {
		t.Errorf("headers of hook 5: %s", got)
	}
	if len(five.Actions) != 2 || five.AllActions || !five.SendPayload || five.Project != 1 || five.Organization != 1 {
		t.Errorf("hook 5 is %+v", five)
	}
	e := &mapping.Event{Action: mapping.AnnotationCreated, Organization: 1, Project: 1, Committed: time.Now()}
	const want = "1:ANNOTATION_CREATED 2:ANNOTATION_CREATED- 3:ANNOTATION_CREATED 6:ANNOTATION_CREATED"
	if got := targets(h.Match(e, nil)); got != want {
		t.Errorf("matches\n got %s\nwant %s", got, want)
	}

	// A second load finds what has changed.
	db.Exec(t, "DELETE FROM webhook WHERE id = 1")
	db.Exec(t, "ALTER TABLE webhook ADD COLUMN color text DEFAULT 'red'")
	if err := h.Load(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	if _, ok := h.Hook(1); ok || len(h.All()) != 9 {
		t.Errorf("after deletion: %d hooks", len(h.All()))
	}
}

func TestLoadNamesTheMissingColumn(t *testing.T) {
	db := cdctest.Postgres(t).LabelStudio(t)
	db.Exec(t, "ALTER TABLE webhook RENAME COLUMN send_payload TO payload")
	h := NewSet(Options{Log: slog.New(slog.DiscardHandler)})
	err := h.Load(t.Context(), db.Connect(t))
	if err == nil || !strings.Contains(err.Error(), "column send_payload is missing") {
		t.Errorf("error %v", err)
	}
}

// A load that fails leaves the hooks as they were.
func TestLoadFailsAsAWhole(t *testing.T) {
	db := cdctest.Postgres(t).LabelStudio(t)
	conn := db.Connect(t)
	h := NewSet(Options{Log: slog.New(slog.DiscardHandler)})
	if err := h.Load(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	db.Exec(t, "ALTER TABLE webhook RENAME COLUMN url TO link")
	if err := h.Load(t.Context(), conn); err == nil {
		t.Fatal("no error")
	}
	apply(t, h, deleteRow(Webhook, 1))
	if n := len(h.All()); n != 9 {
		t.Errorf("%d hooks", n)
	}
}

// unbegun is a connection that is lost before a query is sent, as pgx notices when it has
// statements to deallocate first.
type unbegun struct{ *pgx.Conn }

var errUnbegun = errors.New("the connection is lost")

func (unbegun) Query(context.Context, string, ...any) (pgx.Rows, error) {
	return pgx.RowsFromResultReader(pgtype.NewMap(), nil), errUnbegun
}

// TestCompleteReturnsTheErrorOfAQuery: rows of a query that was never sent have no columns.
func TestCompleteReturnsTheErrorOfAQuery(t *testing.T) {
	h := NewSet(Options{Log: slog.New(slog.DiscardHandler)})
	change := RowChange{Table: Webhook, Row: dispatchtest.Row{"id": "1"}}
	if err := h.Complete(t.Context(), unbegun{}, change); !errors.Is(err, errUnbegun) {
		t.Errorf("error %v", err)
	}
}
