package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/relay"
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

// TestHalfOpenConnectionIsNoticed: a replication connection that brings nothing
// any more, and of which nobody says that it is gone, shows in metric and
// readiness and is made anew, and hooktail goes on; if that does not help, it ends
// with a sentence that says so.
func TestHalfOpenConnectionIsNoticed(t *testing.T) {
	t.Parallel()
	server := cdctest.Postgres(t)
	db := server.LabelStudio(t)
	c := receive(t, db)
	proxy := cdctest.NewProxy(t, "unix", server.Socket())
	setUpOnce(t, db)
	through := url.URL{Scheme: "postgres", User: url.User("hooktail"), Host: proxy.Addr(), Path: "/" + db.Name, RawQuery: "sslmode=disable"}
	const every = 500 * time.Millisecond
	p := startTuned(t, relay.Tuning{BeatEvery: every, StreamTimeout: 4 * time.Second}, []string{"run"},
		proctest.RoleEnviron(db, "HOOKTAIL_SETTLE=0", "HOOKTAIL_DATABASE_URL="+through.String()))
	db.Exec(t, annotate, 7)
	delivered(t, db)
	c.Take()

	proxy.StallReplication()
	p.err.Find(t, "(no heartbeat came back: reconnecting)", p.ended)
	if away := p.metric(t, "hooktail_heartbeat_seconds"); away < (3 * every).Seconds() {
		t.Errorf("hooktail_heartbeat_seconds = %v while none comes back", away)
	}
	p.unready(t, "no replication connection")
	db.Exec(t, annotate, 8)
	proxy.Heal()
	delivered(t, db)
	if got := annotationsOf(t, c.Take(), 1); len(got) != 1 {
		t.Errorf("annotations %v arrived after the connection was made anew, want one", got)
	}
	if n := p.metric(t, "hooktail_reconnects_total"); n == 0 {
		t.Error("hooktail_reconnects_total = 0")
	}

	proxy.StallReplication()
	select {
	case <-p.ended:
	case <-time.After(patient):
		t.Fatalf("the program goes on without a stream:\n%s", p.err)
	}
	if p.code != exitFailed || !strings.Contains(p.err.String(), "hooktail: the replication stream is dead") {
		t.Errorf("exit code = %d:\n%s", p.code, p.err)
	}
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
