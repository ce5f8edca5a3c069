package send

import (
	"crypto/tls"
	"net/http"
	"time"
)

// ownTransport is what a Sender sends with by itself.
type ownTransport struct {
	direct  *renewed
	through *renewed  // by way of the proxy; nil without one
	proxy   ProxyFunc // nil: none
	dialer  *dialer   // of direct
	hop     *dialer   // of through; to the proxy
}

// newTransport is the transport for the options.
func newTransport(o Options) *ownTransport {
	t := &ownTransport{dialer: newDialer(o, &o.Egress), proxy: o.Proxy}
	t.direct = newRenewed(func() *http.Transport { return newHTTPTransport(t.dialer) })
	if o.Proxy == nil {
		return t
	}
	// Who configured the proxy may have it anywhere: its address is not checked.
	t.hop = newDialer(o, nil)
	t.through = newRenewed(func() *http.Transport {
		through := newHTTPTransport(t.hop)
		through.Proxy = o.Proxy
		through.OnProxyConnectResponse = refusedByProxy
		return through
	})
	return t
}

// RoundTrip sends the request, directly or through the proxy.
func (t *ownTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	proxied, err := t.isProxied(r)
	switch {
	case err != nil:
		return nil, err
	case proxied:
		return t.through.RoundTrip(r)
	default:
		return t.direct.RoundTrip(r)
	}
}

// close closes the connections that no request uses.
func (t *ownTransport) close() {
	t.direct.CloseIdleConnections()
	if t.through != nil {
		t.through.CloseIdleConnections()
	}
}

// maxIdle is how many connections are kept: the least used go first, and all that
// are idle for long.
const maxIdle = 512

// newHTTPTransport speaks HTTP/1.1 on connections that are kept, asks no proxy, and
// leaves the body's encoding alone.
func newHTTPTransport(d *dialer) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		DialContext:            d.dial,
		DialTLSContext:         d.dialTLS,
		TLSClientConfig:        d.tls,     // within a proxy's tunnel
		TLSHandshakeTimeout:    d.timeout, // there, too: net/http goes on with a connection whose request has ended
		Protocols:              &protocols,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdle, // many hooks may share a host, each with its requests in flight
		IdleConnTimeout:        30 * time.Second,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
		WriteBufferSize:        8 << 10, // most requests are then one system call; net/http's 4 KiB hold no body
	}
}

// tlsConfig is the configuration with TLS 1.2 as the least version, and sessions that are
// resumed.
func tlsConfig(of *tls.Config) *tls.Config {
	c := &tls.Config{}
	if of != nil {
		c = of.Clone()
	}
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	// Some servers ask for the client's certificate when they have read the request's path.
	// It exists in TLS 1.2 alone. Once is enough for that, and more would let a receiver keep
	// this machine busy.
	c.Renegotiation = tls.RenegotiateOnceAsClient
	if c.ClientSessionCache == nil {
		c.ClientSessionCache = tls.NewLRUClientSessionCache(maxIdle) // connections are renewed
	}
	return c
}
