package send

import (
	"crypto/tls"
	"net/http"
	"time"
)

// ownTransport is the default transport of a Sender.
type ownTransport struct {
	direct  *renewed
	through *renewed  // through the proxy; nil: no proxy
	proxy   ProxyFunc // nil: none
	dialer  *dialer   // of direct
	hop     *dialer   // of direct
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
		through.DialContext, through.DialTLSContext = viaProxy(t.hop.dial, t.hop.timeout), viaProxy(t.hop.dialTLS, t.hop.timeout)
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
// session resumption.
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
	if c.ClientSessionCache == nil {
		c.ClientSessionCache = tls.NewLRUClientSessionCache(maxIdle) // connections are renewed
	}
	return c
}
