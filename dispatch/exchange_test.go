package dispatch

import (
	"errors"
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
	log := &logBuffer{}
	hooks := NewHooks(HooksOptions{Log: log.logger()})
	apply(t, hooks, RowChange{Table: Webhook, Row: hookRow(1, hookURL(receiver.URL, 1))})
	d := New(Options{Hooks: hooks, Log: log.logger(), Sender: newTestSender(t, SenderOptions{
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

func TestExchangeShowsNoSecret(t *testing.T) {
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte(r.Header.Get("X-Key") + " " + r.URL.RawQuery + strings.Repeat(" tea", 1000)))
	}))
	t.Cleanup(echo.Close)
	s := newTestSender(t, SenderOptions{Timeout: time.Second})
	e := s.Exchange(t.Context(), oneHook(t, hookRow(1, echo.URL+"/?token=hush").with("headers", `{"X-Key": "hush-hush"}`)), testMessage)
	if e.Status != http.StatusTeapot || e.Result != Result4xx || !strings.HasPrefix(string(e.Answer), "********* ********** tea") || len(e.Answer) != 512 {
		t.Errorf("exchange %d %s: %q", e.Status, e.Result, e.Answer)
	}
	if names := strings.Join(e.Headers, " "); names != "Content-Type Idempotency-Key User-Agent X-Key hooktail-commit-time hooktail-lsn webhook-attempt webhook-id webhook-timestamp" {
		t.Errorf("headers %s", names)
	}
}
