package conformance

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// post delivers one request to the collector, without a socket, and returns the status.
func post(c *Collector, path, body string) int {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("X-Team", "newsroom")
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w.Code
}

func TestCollectorRecordsInOrder(t *testing.T) {
	var c Collector
	for _, r := range []struct{ path, body string }{{"/h/2", `{"action": "A"}`}, {"/h/11", `{"action": "B"}`}, {"/h/2", `{"action": "C"}`}} {
		if got := post(&c, r.path, r.body); got != http.StatusOK {
			t.Fatalf("%s: status %d", r.path, got)
		}
	}
	headers := map[string]string{"x-team": "newsroom"}
	want := []Request{
		{Hook: 2, Action: "A", Headers: headers, Body: []byte(`{"action": "A"}`)},
		{Hook: 11, Action: "B", Headers: headers, Body: []byte(`{"action": "B"}`)},
		{Hook: 2, Action: "C", Headers: headers, Body: []byte(`{"action": "C"}`)},
	}
	if diff := cmp.Diff(want, c.Requests()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, c.Take()); diff != "" || len(c.Requests()) > 0 {
		t.Errorf("taken (-want +got):\n%s\nleft: %v", diff, c.Requests())
	}
}

func TestCollectorWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Collector
		waited := make(chan error, 1)
		go func() { waited <- c.Wait(t.Context(), map[int64]int{1: 1, 2: 2}) }()
		for _, path := range []string{"/h/2", "/h/2", "/h/1"} {
			synctest.Wait()
			select {
			case err := <-waited:
				t.Fatalf("returned before %s: %v", path, err)
			default:
			}
			post(&c, path, `{"action": "A"}`)
		}
		if err := <-waited; err != nil {
			t.Error(err)
		}
	})
}

func TestCollectorSaysWhatIsLacking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Collector
		post(&c, "/h/1", `{"action": "A"}`)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := c.Wait(ctx, map[int64]int{1: 2, 7: 1})
		if !errors.Is(err, context.DeadlineExceeded) || !strings.HasSuffix(err.Error(), "hook 1 has 1 of 2, hook 7 has 0 of 1") {
			t.Errorf("got %v", err)
		}
	})
}

func TestCollectorRefusesWhatNoHookGets(t *testing.T) {
	for name, request := range map[string]*http.Request{
		"path":   httptest.NewRequest(http.MethodPost, "/elsewhere", strings.NewReader(`{}`)),
		"method": httptest.NewRequest(http.MethodGet, "/h/1", nil),
		"body":   httptest.NewRequest(http.MethodPost, "/h/1", strings.NewReader(`{"action"`)),
	} {
		t.Run(name, func(t *testing.T) {
			var c Collector
			w := httptest.NewRecorder()
			c.ServeHTTP(w, request)
			if w.Code != http.StatusBadRequest || c.Wait(t.Context(), nil) == nil {
				t.Errorf("status %d, and waiting gives no error", w.Code)
			}
		})
	}
}
