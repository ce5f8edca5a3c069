package dispatchtest

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait of a test.
const patience = 30 * time.Second

// Server is a receiver. It is safe for concurrent use.
type Server struct {
	URL string // without a path

	mu       sync.Mutex
	scripts  map[string][]Step
	requests []Request
	moved    chan struct{} // closed with the next request
}

// Request is a received request, recorded before it is answered.
type Request struct {
	Path    string
	Query   string
	Event   string // webhook-id
	Attempt int    // webhook-attempt
	Header  http.Header
	Body    []byte
	Arrived time.Time
	Status  int // status of the scripted answer; 0: no answer
}

// Receiver starts a server that answers 200 unless scripted otherwise, and ends with the
// test.
func Receiver(t testing.TB) *Server {
	t.Helper()
	s := &Server{scripts: make(map[string][]Step), moved: make(chan struct{})}
	hosted := httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	hosted.Config.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		_ = conn.(*net.TCPConn).SetWriteBuffer(64 << 10) // for answers that are not read; with another size the test only takes longer
		return ctx
	}
	hosted.Start()
	t.Cleanup(func() {
		hosted.CloseClientConnections()
		hosted.Close()
	})
	s.URL = hosted.URL
	return s
}

// Script sets the steps that answer requests for the path, one after the other; the last
// step repeats. Without steps the path answers 200 again.
func (s *Server) Script(path string, steps ...Step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scripts[path] = steps
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender gave up
	}
	s.note(r, body).play(w, r)
}

// note records the request and returns the step that answers it.
func (s *Server) note(r *http.Request, body []byte) Step {
	s.mu.Lock()
	defer s.mu.Unlock()
	step := Status(http.StatusOK)
	if script := s.scripts[r.URL.Path]; len(script) > 0 {
		step = script[0]
		if len(script) > 1 {
			s.scripts[r.URL.Path] = script[1:]
		}
	}
	attempt, _ := strconv.Atoi(r.Header.Get("webhook-attempt")) // 0: not sent by hooktail
	s.requests = append(s.requests, Request{
		Path: r.URL.Path, Query: r.URL.RawQuery, Event: r.Header.Get("webhook-id"), Attempt: attempt,
		Header: r.Header.Clone(), Body: body, Arrived: time.Now(), Status: step.status,
	})
	close(s.moved)
	s.moved = make(chan struct{})
	return step
}

// Requests returns the requests received so far for the path, in order of arrival; all
// requests if the path is empty.
func (s *Server) Requests(path string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of(path)
}

func (s *Server) of(path string) []Request {
	out := make([]Request, 0, len(s.requests))
	for _, r := range s.requests {
		if path == "" || r.Path == path {
			out = append(out, r)
		}
	}
	return out
}

// Wait waits until n requests have been received for the path, and returns them.
func (s *Server) Wait(t testing.TB, path string, n int) []Request {
	t.Helper()
	return s.WaitFor(t, path, strconv.Itoa(n)+" requests", func(got []Request) bool { return len(got) >= n })
}

// WaitFor waits until the requests for the path satisfy enough, and returns them; what
// describes the condition.
func (s *Server) WaitFor(t testing.TB, path, what string, enough func([]Request) bool) []Request {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		s.mu.Lock()
		got, moved := s.of(path), s.moved
		s.mu.Unlock()
		if enough(got) {
			return got
		}
		select {
		case <-moved:
		case <-ctx.Done():
			t.Fatalf("%s: waited for %s, got %d requests", path, what, len(got))
		}
	}
}

// AllOf asserts that exactly these events were answered with 2xx.
func (s *Server) AllOf(t testing.TB, path string, events ...string) {
	t.Helper()
	got := accepted(s.Requests(path))
	slices.Sort(got)
	if got, want := slices.Compact(got), slices.Compact(slices.Sorted(slices.Values(events))); !slices.Equal(got, want) {
		t.Errorf("%s: events that arrived\n got %v\nwant %v", path, got, want)
	}
}

// InOrder asserts that the events were first answered with 2xx in this order; others may
// come in between.
func (s *Server) InOrder(t testing.TB, path string, events ...string) {
	t.Helper()
	var got []string
	for _, event := range accepted(s.Requests(path)) {
		if slices.Contains(events, event) && !slices.Contains(got, event) {
			got = append(got, event)
		}
	}
	if !slices.Equal(got, events) {
		t.Errorf("%s: order of arrival\n got %v\nwant %v", path, got, events)
	}
}

// DuplicatesAtMost asserts that at most n requests repeat an event that was already
// answered with 2xx.
func (s *Server) DuplicatesAtMost(t testing.TB, path string, n int) {
	t.Helper()
	seen, duplicates := make(map[string]bool), 0
	for _, r := range s.Requests(path) {
		if seen[r.Event] {
			duplicates++
		}
		seen[r.Event] = seen[r.Event] || r.Status/100 == 2
	}
	if duplicates > n {
		t.Errorf("%s: %d duplicates, want at most %d", path, duplicates, n)
	}
}

// accepted returns the events answered with 2xx, in order, with repetitions.
func accepted(requests []Request) []string {
	var events []string
	for _, r := range requests {
		if r.Status/100 == 2 {
			events = append(events, r.Event)
		}
	}
	return events
}
