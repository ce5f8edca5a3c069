package dispatch

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

// A hook whose secret cannot be opened gets nothing, and above all nothing that is
// unsigned, until the secret is good.
func TestWithoutItsSecretNothingIsSent(t *testing.T) {
	receiver := dispatchtest.Receiver(t)
	var good atomic.Bool
	log := &dispatchtest.Log{}
	hooks := NewHooks(HooksOptions{Log: log.Logger()})
	apply(t, hooks, RowChange{Table: Webhook, Row: dispatchtest.HookRow(1, hookURL(receiver.URL, 1))})
	d := New(Options{Hooks: hooks, Log: log.Logger(), Sender: newTestSender(t, SenderOptions{
		Timeout: time.Second,
		Secrets: func(int64) ([]SigningKey, error) {
			if good.Load() {
				return []SigningKey{mustSigningKey(t, specimen)}, nil
			}
			return nil, errors.New("cannot be opened")
		},
	})})
	t.Cleanup(d.Close)
	deliver := func(n int) {
		t.Helper()
		if err := d.Enqueue(t.Context(), []Delivery{deliveryTo(1, makeEvent(n, 1), nil)}); err != nil {
			t.Fatal(err)
		}
		if err := d.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	deliver(1)
	if n := len(receiver.Requests("/h/1")); n != 0 {
		t.Fatalf("%d requests without the secret", n)
	}
	if !strings.Contains(log.String(), "reason=bad_secret") {
		t.Errorf("log:\n%s", log)
	}
	good.Store(true)
	deliver(2)
	if header := receiver.Wait(t, "/h/1", 1)[0].Header; header["Webhook-Signature"] == nil {
		t.Errorf("headers %v", header)
	}
}

// TestExchangeShowsNoSecret: what hooktail sets is shown as it was sent, and nothing that
// the hook's row sets, nor what is signed with its secret.
func TestExchangeShowsNoSecret(t *testing.T) {
	var got http.Header
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte(r.Header.Get("X-Key") + " " + r.URL.RawQuery + strings.Repeat(" tea", 1000)))
	}))
	t.Cleanup(echo.Close)
	secret := func(int64) ([]SigningKey, error) { return []SigningKey{mustSigningKey(t, specimen)}, nil }
	s := newTestSender(t, SenderOptions{Timeout: time.Second, Secrets: secret})
	url := strings.Replace(echo.URL, "http://", "http://jane:hush@", 1) + "/?token=hush"
	e := s.Exchange(t.Context(), oneHook(t, dispatchtest.HookRow(1, url).With("headers", `{"X-Key": "hush-hush", "content-type": "text/plain"}`)), testMessage)
	if e.Status != http.StatusTeapot || e.Result != Result4xx || !strings.HasPrefix(string(e.Answer), "********* ********** tea") || len(e.Answer) != 512 {
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
