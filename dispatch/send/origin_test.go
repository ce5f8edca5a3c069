package send

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

// TestOrigin: requests say where they come from, those of the stream do not.
func TestOrigin(t *testing.T) {
	hook := oneHook(t, dispatchtest.HookRow(1, "http://x/"))
	var got []string
	receiver := dispatchtest.Transport(func(r *http.Request) (*http.Response, error) {
		got = append(got, strings.Join(r.Header[originHeader], ", ")) //nolint:staticcheck // written as on the wire
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
	})
	sender := New(Options{Transport: receiver})
	for _, origin := range []string{"", "backfill", ""} {
		if o := sender.Send(t.Context(), hook, Message{ID: "1", Origin: origin}); o.Result != Result2xx {
			t.Fatal(o.Err)
		}
	}
	if len(got) != 3 || got[0] != "" || got[1] != "backfill" || got[2] != "" {
		t.Errorf("hooktail-origin: %q", got)
	}
}
