package send

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// renewAfter is how old connections become that are used again: a name that has moved is
// noticed then.
const renewAfter = 100 * time.Second

// renewed is a transport whose connections are made anew from time to time, since
// http.Transport itself keeps a busy one for ever (https://go.dev/issue/23427). Requests
// under way end on the connection that they have. It is safe for concurrent use.
type renewed struct {
	fresh   func() *http.Transport
	current atomic.Pointer[generation]
	mu      sync.Mutex // of the change of generations
}

// generation is connections that are used until the same time.
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

// at is the transport for requests that begin then.
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
	// What it still sends closes its connections afterwards.
	g.transport.CloseIdleConnections()
	return next.transport
}

// CloseIdleConnections closes those that no request uses.
func (r *renewed) CloseIdleConnections() { r.current.Load().transport.CloseIdleConnections() }
