package hook

import (
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/mapping"
)

func TestMain(m *testing.M) {
	code := cdctest.Main(m)
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func newTestHooks(t testing.TB, rows ...dispatchtest.Row) *Set {
	t.Helper()
	h := NewSet(Options{Log: slog.New(slog.DiscardHandler)})
	for _, r := range rows {
		apply(t, h, RowChange{Table: Webhook, Row: r})
	}
	return h
}

func apply(t testing.TB, h *Set, changes ...RowChange) {
	t.Helper()
	for _, change := range changes {
		if err := h.Apply(change); err != nil {
			t.Fatal(err)
		}
	}
}

func deleteRow(table Table, id int64) RowChange {
	return RowChange{Table: table, Deleted: true, Row: dispatchtest.Row{"id": strconv.FormatInt(id, 10)}}
}

func actionRow(id, of int64, action string) RowChange {
	return RowChange{Table: WebhookAction, Row: dispatchtest.Row{
		"id": strconv.FormatInt(id, 10), "webhook_id": strconv.FormatInt(of, 10), "action": action,
	}}
}

// makeEvent is the n-th event, of project 1.
func makeEvent(n int, task int64) *mapping.Event {
	now := time.Now()
	return &mapping.Event{
		ID: mapping.ID{Timeline: 1, Commit: 0x16B374D848, Ordinal: n}, Action: mapping.AnnotationUpdated,
		Committed: now, Received: now, Organization: 1, Project: 1, Task: task,
		Payload: []byte(`"annotation": {"id": ` + strconv.Itoa(n) + `}`),
	}
}
