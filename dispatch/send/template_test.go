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
