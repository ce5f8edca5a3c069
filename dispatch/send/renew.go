package send

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// renewAfter is the maximum age of reused connections, so that a moved name is noticed.
const renewAfter = 100 * time.Second

// renewed is a transport that replaces its connections from time to time, since
// http.Transport keeps a busy one forever (https://go.dev/issue/23427). Requests in
// progress finish on their connection. It is safe for concurrent use.
type renewed struct {
	fresh   func() *http.Transport
	current atomic.Pointer[generation]
	mu      sync.Mutex // guards the change of generations
}

// generation is a set of connections that expire together.
type generation struct {
	transport *http.Transport
	until     time.Time
}

func newRenewed(fresh func() *http.Transport) *renewed {
	r := &renewed{fresh: fresh}
	r.current.Store(&generation{fresh(), time.Now().Add(renewAfter)})
	return r
}

// RoundTrip sends the request with the current generation.
func (r *renewed) RoundTrip(request *http.Request) (*http.Response, error) {
	return r.at(time.Now()).RoundTrip(request)
}

// at returns the transport for requests that begin at that time.
func (r *renewed) at(now time.Time) *http.Transport {
	g := r.current.Load()
	if now.Before(g.until) {
		return g.transport
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if g = r.current.Load(); now.Before(g.until) {
		return g.transport
	}
	next := &generation{r.fresh(), now.Add(renewAfter)}
	r.current.Store(next)
	// Connections in use are closed after their requests.
	g.transport.CloseIdleConnections()
	return next.transport
}

// CloseIdleConnections closes unused connections.
func (r *renewed) CloseIdleConnections() { r.current.Load().transport.CloseIdleConnections() }
