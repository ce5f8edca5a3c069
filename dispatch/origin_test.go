package dispatch

import (
	"net/http"
	"strings"
	"testing"
)

// TestFrom: the requests say where they come from, those of the hook itself do not.
func TestFrom(t *testing.T) {
	h := newTestHooks(t)
	apply(t, h, RowChange{Table: Webhook, Row: hookRow(1, "http://x/")})
	hook, _ := h.Hook(1)
	var got []string
	receiver := transport(func(r *http.Request) (*http.Response, error) {
		got = append(got, strings.Join(r.Header[originHeader], ", ")) //nolint:staticcheck // written as on the wire
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
	})
	sender := NewSender(SenderOptions{Transport: receiver})
	for _, hook := range []*Hook{hook, hook.From("backfill"), hook} {
		if o := sender.Send(t.Context(), hook, Message{ID: "1"}); o.Result != Result2xx {
			t.Fatal(o.Err)
		}
	}
	if len(got) != 3 || got[0] != "" || got[1] != "backfill" || got[2] != "" {
		t.Errorf("hooktail-origin: %q", got)
	}
}
