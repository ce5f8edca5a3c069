package dispatch

import (
	"net/url"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

func TestDescribeRedirect(t *testing.T) {
	for _, tt := range []struct{ from, location, want string }{
		{"http://hook.test/services/hush", "https://hook.test/services/hush", "https://hook.test (the same path)"},
		{"http://hook.test/services/hush", "/services/hush/", "http://hook.test (the same path with a slash at its end)"},
		{"http://hook.test/services/hush", "http://www.hook.test:8080/services/hush", "http://www.hook.test:8080 (the same path)"},
		{"http://hook.test/services/hush", "//other.test/login?next=/services/hush", "http://other.test (another path or query)"},
		{"http://hook.test/a?token=hush", "http://hook.test/a?token=other", "http://hook.test (another path or query)"},
		{"http://hook.test", "https://hook.test/", "https://hook.test (the same path)"},
		{"http://hook.test/a", "https://user:hush@hook.test/b", "https://hook.test (another path or query)"},
		{"http://hook.test/a", "http://%zz/hush", "no usable URL"},
		{"http://hook.test/a", "mailto:hush@hook.test", "no usable URL"},
		{"http://hook.test/a", "http://" + strings.Repeat("hush.", 100) + "test/", "no usable URL"},
		{"http://hook.test/a", "http://hook.test/\nhush", "no usable URL"},
		{"http://hook.test/a", "", ""},
	} {
		from, err := url.Parse(tt.from)
		if err != nil {
			t.Fatal(err)
		}
		if got := describeRedirect(from, tt.location); got != tt.want {
			t.Errorf("from %s to %q: %q, want %q", tt.from, tt.location, got, tt.want)
		}
	}
}

// TestRedirectIsNamed: where the receiver would lead is in the log and in the overview,
// without what may be secret.
func TestRedirectIsNamed(t *testing.T) {
	receiver := dispatchtest.Receiver(t)
	receiver.Script("/services/hush", dispatchtest.Redirect(308, "https://moved.test/services/hush"))
	log := &dispatchtest.Log{}
	hooks := NewHooks(HooksOptions{Log: log.Logger()})
	apply(t, hooks, RowChange{Table: Webhook, Row: dispatchtest.HookRow(1, receiver.URL+"/services/hush?hush")})
	d := New(Options{Hooks: hooks, Log: log.Logger(), Retry: Policy{MaxAttempts: 1}, Sender: newTestSender(t, SenderOptions{})})
	t.Cleanup(d.Close)
	if err := d.Enqueue(t.Context(), []Delivery{deliveryTo(1, makeEvent(1, 1), nil)}); err != nil {
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
