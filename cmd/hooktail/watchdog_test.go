package main

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// metric is the value of a metric without labels.
func (p *program) metric(t *testing.T, name string) float64 {
	t.Helper()
	_, body := p.get(t, "/metrics")
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			return n
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// unready waits until the program is not ready for a reason with these words.
func (p *program) unready(t *testing.T, words string) {
	t.Helper()
	proctest.WaitFor(t, func() error {
		if status, body := p.get(t, "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, words) {
			return fmt.Errorf("/readyz = %d %q, want %q", status, body, words)
		}
		return nil
	})
}

// held is a receiver that answers nobody until release.
type held struct {
	release <-chan struct{}
	mu      sync.Mutex
	got     map[string]int // by hook and event
}

func (h *held) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.got[r.URL.Path+" "+r.Header.Get("webhook-id")]++
	h.mu.Unlock()
	select {
	case <-h.release:
	case <-r.Context().Done():
	}
}

// each is nil if hook 1 got that many events, each of them once.
func (h *held) each(want int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	events := 0
	for key, n := range h.got {
		if !strings.HasPrefix(key, "/h/1 ") {
			continue
		}
		events++
		if n != 1 {
			return fmt.Errorf("%s arrived %d times", key, n)
		}
	}
	if events != want {
		return errors.New("hook 1 got " + strconv.Itoa(events) + " events, want " + strconv.Itoa(want))
	}
	return nil
}
