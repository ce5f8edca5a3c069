package dispatch

import (
	"strings"
	"testing"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
)

// TestRedirectIsNamed: the target of a redirect is in the log and in the overview,
// without possible secrets.
func TestRedirectIsNamed(t *testing.T) {
	receiver := dispatchtest.Receiver(t)
	receiver.Script("/services/hush", dispatchtest.Redirect(308, "https://moved.test/services/hush"))
	log := &dispatchtest.Log{}
	hooks := hook.NewSet(hook.Options{Log: log.Logger()})
	apply(t, hooks, hook.RowChange{Table: hook.Webhook, Row: dispatchtest.HookRow(1, receiver.URL+"/services/hush?hush")})
	d := New(Options{Hooks: hooks, Log: log.Logger(), Retry: Policy{MaxAttempts: 1}, Sender: newTestSender(t, send.Options{})})
	t.Cleanup(d.Close)
	if err := d.Enqueue(t.Context(), []Delivery{deliveryTo(1, dispatchtest.Event(1, 1), nil)}); err != nil {
		t.Fatal(err)
	}
	if err := d.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	const want = "https://moved.test (another path or query)"
	if text := log.String(); !strings.Contains(text, `redirect="`+want+`"`) || strings.Contains(text, "hush") {
		t.Errorf("log:\n%s", text)
	}
	if got := d.Overview()[0].Failure.Redirect; got != want {
		t.Errorf("overview: %q", got)
	}
	if got := d.Recent(0, false)[0].Redirect; got != want {
		t.Errorf("recent: %q", got)
	}
}
