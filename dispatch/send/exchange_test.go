package send

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

// TestExchangeShowsNoSecret: what hooktail sets is shown as it was sent, and nothing that
// the hook's row sets, nor what is signed with its secret. The answer is for those who may
// see payloads: it is as the receiver has sent it.
func TestExchangeShowsNoSecret(t *testing.T) {
	var got http.Header
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte(r.Header.Get("X-Key") + " " + r.URL.RawQuery + strings.Repeat(" tea", 1000)))
	}))
	t.Cleanup(echo.Close)
	secret := func(int64) ([]SigningKey, error) { return []SigningKey{mustSigningKey(t, specimen)}, nil }
	s := newTestSender(t, Options{Timeout: time.Second, Secrets: secret})
	url := strings.Replace(echo.URL, "http://", "http://jane:hush@", 1) + "/?token=hush"
	e := s.Exchange(t.Context(), oneHook(t, dispatchtest.HookRow(1, url).With("headers", `{"X-Key": "hush-hush", "content-type": "text/plain"}`)), testMessage)
	if e.Status != http.StatusTeapot || e.Result != Result4xx || !strings.HasPrefix(string(e.Answer), "hush-hush token=hush tea") || len(e.Answer) != AnswerBytes {
		t.Errorf("exchange %d %s: %q", e.Status, e.Result, e.Answer)
	}
	shown := make(map[string]string)
	for _, h := range e.Headers {
		shown[h.Name] = h.Value
	}
	want := map[string]string{
		"Content-Type": "***", "Idempotency-Key": testMessage.ID, "User-Agent": got.Get("User-Agent"), "X-Key": "***", "Authorization": "***",
		"hooktail-commit-time": testMessage.Committed, "hooktail-lsn": testMessage.LSN,
		"webhook-attempt": "3", "webhook-id": testMessage.ID, "webhook-timestamp": got.Get("Webhook-Timestamp"), "webhook-signature": "***",
	}
	if !maps.Equal(shown, want) {
		t.Errorf("headers %v, want %v", shown, want)
	}
}
