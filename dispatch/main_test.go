package dispatch

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/hooktail/hooktail/cdc/cdctest"
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

// null is a column's value in a row.
const null = "\x00"

// row is a Row by column.
type row map[string]string

func (r row) Text(column string) (value string, isNull, ok bool) {
	value, ok = r[column]
	if value == null {
		return "", true, ok
	}
	return value, false, ok
}

// with is the row with other values.
func (r row) with(columnsAndValues ...string) row {
	out := maps.Clone(r)
	for i := 0; i < len(columnsAndValues); i += 2 {
		out[columnsAndValues[i]] = columnsAndValues[i+1]
	}
	return out
}

func (r row) without(column string) row {
	out := maps.Clone(r)
	delete(out, column)
	return out
}

// hookRow is an active hook of organization 1 for all actions.
func hookRow(id int64, url string) row {
	return row{
		"id": strconv.FormatInt(id, 10), "url": url, "headers": "{}",
		"organization_id": "1", "project_id": null,
		"send_payload": "t", "send_for_all_actions": "t", "is_active": "t",
		"created_at": "2026-11-23 09:37:58.230832+00",
	}
}

func newTestHooks(t testing.TB, rows ...row) *Hooks {
	t.Helper()
	h := NewHooks(HooksOptions{Log: slog.New(slog.DiscardHandler)})
	for _, r := range rows {
		apply(t, h, RowChange{Table: Webhook, Row: r})
	}
	return h
}

func apply(t testing.TB, h *Hooks, changes ...RowChange) {
	t.Helper()
	for _, change := range changes {
		if err := h.Apply(change); err != nil {
			t.Fatal(err)
		}
	}
}

func deleteRow(table Table, id int64) RowChange {
	return RowChange{Table: table, Deleted: true, Row: row{"id": strconv.FormatInt(id, 10)}}
}

func actionRow(id, hook int64, action string) RowChange {
	return RowChange{Table: WebhookAction, Row: row{
		"id": strconv.FormatInt(id, 10), "webhook_id": strconv.FormatInt(hook, 10), "action": action,
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

// deliveryTo is the event on its way to the hook, under its own name.
func deliveryTo(hook int64, e *mapping.Event, done func()) Delivery {
	return Delivery{Target: Target{Hook: hook, Action: e.Action, Payload: true}, Event: e, Done: done}
}

// logBuffer keeps the log at DEBUG.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// transport is a RoundTripper without sockets.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answerWith(status int) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("ok"))}
}

func mustEgress(t testing.TB, policy string) Egress {
	t.Helper()
	e, err := ParseEgress(policy)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func ids(from, to int) []string {
	var out []string
	for n := from; n <= to; n++ {
		out = append(out, makeEvent(n, 0).ID.String())
	}
	return out
}

func hookURL(base string, id int64) string { return fmt.Sprintf("%s/h/%d", base, id) }
