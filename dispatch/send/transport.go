package send

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// ownTransport is the default transport of a Sender.
type ownTransport struct {
	direct  *renewed
	through *renewed  // through the proxy; nil: no proxy
	proxy   ProxyFunc // nil: none
	dialer  *dialer   // of direct
	hop     *dialer   // of through
}

// newTransport returns the transport for the options.
func newTransport(o Options) *ownTransport {
	t := &ownTransport{dialer: newDialer(o, &o.Egress), proxy: o.Proxy}
	t.direct = newRenewed(func() *http.Transport { return newHTTPTransport(t.dialer) })
	if o.Proxy == nil {
		return t
	}
	// The proxy was configured deliberately: its address is not checked.
	t.hop = newDialer(o, nil)
	t.through = newRenewed(func() *http.Transport {
		through := newHTTPTransport(t.hop)
		through.DialContext, through.DialTLSContext = viaProxy(t.hop, t.hop.dial), viaProxy(t.hop, t.hop.dialTLS)
		through.Proxy = o.Proxy
		through.OnProxyConnectResponse = refusedByProxy
		return through
	})
	return t
}

// RoundTrip sends the request, directly or through the proxy.
func (t *ownTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	route, err := t.route(r)
	if err != nil {
		return nil, err
	}
	return route.RoundTrip(r)
}

// once is RoundTrip on a new connection, which is not kept.
func (t *ownTransport) once(r *http.Request) (*http.Response, error) {
	route, err := t.route(r)
	if err != nil {
		return nil, err
	}
	fresh := route.fresh()
	fresh.DisableKeepAlives = true
	return fresh.RoundTrip(r)
}

// route returns the connections that the request takes.
func (t *ownTransport) route(r *http.Request) (*renewed, error) {
	proxied, err := t.isProxied(r)
	if err != nil || !proxied {
		return t.direct, err
	}
	return t.through, nil
}

// failed records that the address of the connection has not answered a request.
func (t *ownTransport) failed(conn net.Conn, now time.Time) {
	d := t.dialer
	if _, ok := conn.(*proxyConn); ok {
		d = t.hop
	}
	d.known.fail(addrPortOf(conn), now)
}

// close closes unused connections.
func (t *ownTransport) close() {
	t.direct.CloseIdleConnections()
	if t.through != nil {
		t.through.CloseIdleConnections()
	}
}

// maxIdle is the number of idle connections that are kept: the least recently used are
// closed first, and all that are idle for long.
const maxIdle = 512

// newHTTPTransport returns a transport that speaks HTTP/1.1 on persistent connections,
// uses no proxy, and does not change the body's encoding.
func newHTTPTransport(d *dialer) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		DialContext:            d.dial,
		DialTLSContext:         d.dialTLS,
		TLSClientConfig:        d.tls,     // within a proxy's tunnel
		TLSHandshakeTimeout:    d.timeout, // also there: net/http continues a handshake whose request has ended
		Protocols:              &protocols,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdle, // many hooks may share a host, each with its own requests in flight
		IdleConnTimeout:        30 * time.Second,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
		WriteBufferSize:        8 << 10, // makes most requests a single system call; net/http's default of 4 KiB is too small for a body
	}
}

// tlsConfig returns the configuration with TLS 1.2 as the minimum version, and with
// session resumption, unless the client certificate may be renewed: the receiver of a
// resumed session would still see the certificate of its beginning.
func tlsConfig(of *tls.Config) *tls.Config {
	c := &tls.Config{}
	if of != nil {
		c = of.Clone()
	}
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	// Some servers request the client certificate after they have read the request's
	// path, which only TLS 1.2 allows. Once is enough, and more would let a receiver keep
	// this machine busy.
	c.Renegotiation = tls.RenegotiateOnceAsClient
	if c.ClientSessionCache == nil && c.GetClientCertificate == nil {
		c.ClientSessionCache = tls.NewLRUClientSessionCache(maxIdle) // connections are renewed
	}
	return c
}

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
