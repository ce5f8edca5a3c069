package hook

import (
	"log/slog"
	"os"
	"strconv"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/mapping"
)

func TestMain(m *testing.M) {
	os.Exit(cdctest.MainWithoutLeaks(m))
}

func newTestHooks(t testing.TB, rows ...dispatchtest.Row) *Set {
	t.Helper()
	h := NewSet(Options{Log: slog.New(slog.DiscardHandler)})
	for _, r := range rows {
		apply(t, h, RowChange{Table: Webhook, Row: r})
	}
	return h
}

// apply makes the changes of one transaction.
func apply(t testing.TB, h *Set, changes ...RowChange) {
	t.Helper()
	for _, change := range changes {
		if err := h.Apply(change); err != nil {
			t.Fatal(err)
		}
	}
	h.Seen(0, true)
}

func deleteRow(table Table, id int64) RowChange {
	return RowChange{Table: table, Deleted: true, Row: dispatchtest.Row{"id": strconv.FormatInt(id, 10)}}
}

func actionRow(id, of int64, action string) RowChange {
	return RowChange{Table: WebhookAction, Row: dispatchtest.Row{
		"id": strconv.FormatInt(id, 10), "webhook_id": strconv.FormatInt(of, 10), "action": action,
	}}
}

func actions(names ...mapping.Action) []mapping.Action { return names }
