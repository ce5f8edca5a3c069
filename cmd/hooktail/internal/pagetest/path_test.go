//go:build external

package pagetest

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
)

// TestWithChromiumBelowAPath: a proxy may show the page below a path of its own, as an Ingress
// or kubectl's proxy does. Nothing is asked above it.
func TestWithChromiumBelowAPath(t *testing.T) {
	const below = "/tools/hooktail/"
	s := newScene(t)
	upstream := &url.URL{Scheme: "http", Host: s.p.Ops}
	mux := http.NewServeMux()
	mux.Handle(below, http.StripPrefix(strings.TrimSuffix(below, "/"), httputil.NewSingleHostReverseProxy(upstream)))
	proxy := httptest.NewServer(mux)
	t.Cleanup(proxy.Close) // after the browser, whose stream it waits for
	b := startBrowser(t)
	b.run(`window.location.href = "` + proxy.URL + below + `"`)
	b.waitText(row(1), "live")
	s.annotate(t, 8)
	b.waitText(row(1)+" td.delivered", "8")
	if b.asked(below+"status/live") == 0 {
		t.Error("the page asks, and is not told")
	}
	b.click("#login")
	b.logIn(token)
	b.waitText("#logout", "Log out")
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.requests {
		if u, err := url.Parse(text); err == nil && u.Scheme == "http" && !strings.HasPrefix(u.Path, below) {
			t.Errorf("a request went to %s, above %s", u.Path, below)
		}
	}
}
