package send

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/dispatch/hook"
)

func TestTemplate(t *testing.T) {
	hook := oneHook(t, dispatchtest.HookRow(1, "http://me:pass@example.com/h?a=b").With("headers", `{"x-lower": "1", "content-type": "text/plain"}`))
	want := map[string][]string{"Content-Type": {"text/plain"}, "x-lower": {"1"}, "Authorization": {"Basic bWU6cGFzcw=="}}
	if diff := cmp.Diff(want, map[string][]string(newTemplate(hook).request.Header)); diff != "" {
		t.Error(diff)
	}
	if got := newTemplate(hook).request.URL.String(); got != "http://example.com/h?a=b" {
		t.Errorf("URL %s", got)
	}
	own := oneHook(t, dispatchtest.HookRow(1, "http://me:pass@example.com/h").With("headers", `{"authorization": "Bearer x"}`))
	if got := newTemplate(own).request.Header["Authorization"]; !cmp.Equal(got, []string{"Bearer x"}) {
		t.Errorf("Authorization %q", got)
	}
}

// TestHeadersAreTheApplications: what is beyond ASCII arrives as Python's requests sends it.
func TestHeadersAreTheApplications(t *testing.T) {
	for _, tt := range []struct{ name, url, headers, want string }{
		{"header", "http://example.com/", `{"Authorization": "J\u00fcrgen\u0080\u00ff"}`, "J\xfcrgen\x80\xff"},
		{"credentials", "http://j%C3%BCrgen:%C3%9F@example.com/", `{}`, "Basic avxyZ2VuOt8="},
		{"header that the application cannot send", "http://example.com/", `{"Authorization": "J\u00fcrgen \u2713"}`, "Jürgen ✓"},
		{"tab", "http://example.com/", `{"Authorization": "a\tb"}`, "a\tb"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			hook := oneHook(t, dispatchtest.HookRow(1, tt.url).With("headers", tt.headers))
			if got := newTemplate(hook).request.Header.Get("Authorization"); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzHookHeaders(f *testing.F) {
	for _, seed := range []string{`{}`, `{"X-Team": "newsroom", "Authorization": "Bearer placeholder"}`, `{"X-Org": "1"}`, `{"Host":"x"}`, `null`, `{"a":1}`} {
		f.Add(seed)
	}
	for _, seed := range []string{`{"x-a": " \u00e9 "}`, `{"Content_Type": "", "content-type": ""}`, `{"User-Agent": "", "user-Agent2": "\ufffd"}`, `{"A":"a","a":"b"}`} {
		f.Add(seed)
	}
	w := newWire(f)
	s := newTestSender(f, Options{Timeout: 10 * time.Second})
	sent := 0
	f.Fuzz(func(t *testing.T, text string) {
		h, err := hook.ParseHeaders(text)
		if err != nil {
			return
		}
		if h.Len() > 10 {
			t.Fatalf("%d headers", h.Len())
		}
		for name, values := range headerOf(h) {
			if name == "" || len(values) != 1 || strings.ContainsAny(name+values[0], "\r\n\x00") {
				t.Fatalf("header %q: %q", name, values)
			}
			if strings.EqualFold(name, "Host") || strings.EqualFold(name, "Content-Length") {
				t.Fatalf("header %q passed", name)
			}
		}
		if sent++; sent > 100 && sent%20 != 0 {
			return // a sample goes over the wire, which takes its time
		}
		own := maps.Collect(h.Reveal())
		w.checkRequest(t, w.send(t, s, oneHook(t, dispatchtest.HookRow(1, "http://"+w.host+"/h").With("headers", text))), "/h", own)
	})
}
