package status

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestLive: the page is told again and again, of what is new alone, as long as its
// session lasts; and no more pages than the bound are.
func TestLive(t *testing.T) {
	s, h := newStage(Options{Token: token})
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	cookie, _ := logIn(t, h)
	watch := func(ctx context.Context) (code int, kind string, body io.Reader) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/status/live?after=3&pulses=1", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Cookie", cookie)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = answer.Body.Close() }) // it has been read
		return answer.StatusCode, answer.Header.Get("Content-Type"), answer.Body
	}
	ctx, leave := context.WithCancel(t.Context())
	code, kind, body := watch(ctx)
	if kind != "text/event-stream" {
		t.Fatalf("%d %s", code, kind)
	}
	lines := bufio.NewScanner(body)
	next := func() (report Report) {
		for lines.Scan() {
			if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				if err := json.Unmarshal([]byte(text), &report); err != nil {
					t.Fatal(err)
				}
				return report
			}
		}
		t.Fatalf("nothing more is told: %v", lines.Err())
		return report
	}
	asked := func() Query {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.query
	}
	if report := next(); !report.Authorized || report.Role != "leader" || asked() != (Query{After: 3, Payloads: true, Pulses: true}) {
		t.Errorf("first: %+v, asked %+v", report, asked())
	}
	call(h, http.MethodPost, "/session/end", "{}", "Cookie", cookie)
	if report := next(); report.Authorized || asked().Payloads {
		t.Error("who has logged out sees payloads")
	}
	for range maxLive - 1 {
		watch(ctx)
	}
	if code, _, _ := watch(ctx); code != http.StatusServiceUnavailable {
		t.Errorf("one too many: %d", code)
	}
	leave()
}
