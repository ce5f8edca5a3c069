package send

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

// TestReachSendsNothing: it connects, agrees on TLS, and hangs up.
func TestReachSendsNothing(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	count := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) })
	plain, secure := httptest.NewServer(count), httptest.NewTLSServer(count)
	internal, err := ParseEgress("internal")
	if err != nil {
		t.Fatal(err)
	}
	trusting := secure.Client().Transport.(*http.Transport).TLSClientConfig
	for _, test := range []struct {
		name, url string
		o         Options
		want      string
	}{
		{"plain", plain.URL, Options{Egress: internal}, ""},
		{"TLS", secure.URL, Options{Egress: internal, TLS: trusting}, ""},
		{"TLS that is not trusted", secure.URL, Options{Egress: internal}, "signed by an unknown authority"},
		{"no TLS", strings.Replace(plain.URL, "http:", "https:", 1), Options{Egress: internal}, "does not speak TLS"},
		{"forbidden", plain.URL, Options{}, "forbidden by the egress policy"},
		{"credentials are not shown", "http://user:opensesame@127.0.0.1:1/?opensesame", Options{Egress: internal}, "connection refused"},
	} {
		sender := New(test.o)
		err := sender.Reach(t.Context(), oneHook(t, dispatchtest.HookRow(1, test.url)))
		sender.Close()
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "opensesame")):
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
	plain.Close()
	secure.Close()
	if n := requests.Load(); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// TestReachEndsInTime: a receiver that accepts and says nothing does not hold it up.
func TestReachEndsInTime(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	internal, err := ParseEgress("internal")
	if err != nil {
		t.Fatal(err)
	}
	sender := New(Options{Egress: internal})
	defer sender.Close()
	if err := sender.Reach(t.Context(), oneHook(t, dispatchtest.HookRow(1, "https://"+silent.Addr().String()))); err == nil || err.Error() != "no answer in time" {
		t.Errorf("error %v", err)
	}
}
