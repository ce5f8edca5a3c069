package dispatch

import (
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/mapping"
)

func TestMain(m *testing.M) {
	os.Exit(cdctest.MainWithoutLeaks(m))
}

func newTestHooks(t testing.TB, rows ...dispatchtest.Row) *hook.Set {
	t.Helper()
	h := hook.NewSet(hook.Options{Log: slog.New(slog.DiscardHandler)})
	for _, r := range rows {
		apply(t, h, hook.RowChange{Table: hook.Webhook, Row: r})
	}
	return h
}

func apply(t testing.TB, h *hook.Set, changes ...hook.RowChange) {
	t.Helper()
	for _, change := range changes {
		if err := h.Apply(change); err != nil {
			t.Fatal(err)
		}
	}
}

func deleteRow(table hook.Table, id int64) hook.RowChange {
	return hook.RowChange{Table: table, Deleted: true, Row: dispatchtest.Row{"id": strconv.FormatInt(id, 10)}}
}

func actionRow(id, of int64, action string) hook.RowChange {
	return hook.RowChange{Table: hook.WebhookAction, Row: dispatchtest.Row{
		"id": strconv.FormatInt(id, 10), "webhook_id": strconv.FormatInt(of, 10), "action": action,
	}}
}

// deliveryTo returns the delivery of the event to the hook, with the event's own action.
func deliveryTo(to int64, e *mapping.Event, done func()) Delivery {
	return Delivery{Target: hook.Target{Hook: to, Action: e.Action, Payload: true}, Event: e, Done: done}
}

// newTestSender returns a sender that may reach this machine.
func newTestSender(t testing.TB, o send.Options) *send.Sender {
	t.Helper()
	var err error
	if o.Egress, err = send.ParseEgress("internal"); err != nil {
		t.Fatal(err)
	}
	s := send.New(o)
	t.Cleanup(s.Close)
	return s
}

// oneHook returns the hook of the row.
func oneHook(t testing.TB, r dispatchtest.Row) *hook.Hook {
	t.Helper()
	return newTestHooks(t, r).All()[0]
}

func ids(from, to int) []string {
	var out []string
	for n := from; n <= to; n++ {
		out = append(out, dispatchtest.Event(n, 0).ID.String())
	}
	return out
}

func hookURL(base string, id int64) string { return fmt.Sprintf("%s/h/%d", base, id) }
