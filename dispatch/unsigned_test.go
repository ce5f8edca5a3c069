package dispatch

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
)

// A hook whose secret cannot be opened gets nothing, in particular nothing unsigned, until
// the secret is usable.
func TestWithoutItsSecretNothingIsSent(t *testing.T) {
	receiver := dispatchtest.Receiver(t)
	var good atomic.Bool
	log := &dispatchtest.Log{}
	hooks := hook.NewSet(hook.Options{Log: log.Logger()})
	apply(t, hooks, hook.RowChange{Table: hook.Webhook, Row: dispatchtest.HookRow(1, hookURL(receiver.URL, 1))})
	d := New(Options{Hooks: hooks, Log: log.Logger(), Sender: newTestSender(t, send.Options{
		Timeout: time.Second,
		Secrets: func(int64) ([]send.SigningKey, error) {
			if good.Load() {
				return []send.SigningKey{send.NewSigningKey()}, nil
			}
			return nil, errors.New("cannot be opened")
		},
	})})
	t.Cleanup(d.Close)
	deliver := func(n int) {
		t.Helper()
		if err := d.Enqueue(t.Context(), []Delivery{deliveryTo(1, dispatchtest.Event(n, 1), nil)}); err != nil {
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
