package dispatch

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"
)

// newTransport is what a Sender sends with by itself, and how it is closed.
func newTransport(o SenderOptions) (transport http.RoundTripper, closeIdle func()) {
	direct := newHTTPTransport(o)
	direct.DialContext = guardedDialer{Egress: o.Egress, Timeout: o.Timeout, Resolver: o.Resolver}.dial
	if o.Proxy == nil {
		return direct, direct.CloseIdleConnections
	}
	through := newHTTPTransport(o)
	// Who configured the proxy may have it anywhere: its address is not checked.
	through.DialContext = (&net.Dialer{Timeout: o.Timeout, Resolver: o.Resolver}).DialContext
	through.Proxy = o.Proxy
	through.OnProxyConnectResponse = refusedByProxy
	p := &proxied{direct: direct, through: through, proxy: o.Proxy, egress: o.Egress, resolver: o.Resolver}
	return p, func() { direct.CloseIdleConnections(); through.CloseIdleConnections() }
}

// maxIdle is how many connections are kept: the least used go first, and all that
// are idle for long.
const maxIdle = 512

// newHTTPTransport speaks HTTP/1.1 on connections that are kept, asks no proxy, and
// leaves the body's encoding alone.
func newHTTPTransport(o SenderOptions) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		TLSClientConfig:        tlsConfig(o.TLS),
		TLSHandshakeTimeout:    o.Timeout, // of its own: net/http goes on with a connection whose request has ended
		Protocols:              &protocols,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdle, // many hooks may share a host, each with its requests in flight
		IdleConnTimeout:        30 * time.Second,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
		WriteBufferSize:        8 << 10, // most requests are then one system call; net/http's 4 KiB hold no body
	}
}

// tlsConfig is the configuration with TLS 1.2 as the least version.
func tlsConfig(of *tls.Config) *tls.Config {
	c := &tls.Config{}
	if of != nil {
		c = of.Clone()
	}
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	return c
}

// guardedDialer connects to the addresses of a name that Egress allows, and to no
// other.
type guardedDialer struct {
	Egress   Egress
	Timeout  time.Duration
	Resolver *net.Resolver
}

// dial is for http.Transport.
func (g guardedDialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var allowed atomic.Bool // one address at least; several may be tried at a time
	dialer := net.Dialer{Timeout: g.Timeout, Resolver: g.Resolver}
	dialer.Control = func(network, address string, c syscall.RawConn) error {
		err := g.Egress.Control(network, address, c)
		if err == nil {
			allowed.Store(true)
		}
		return err
	}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil && allowed.Load() && errors.Is(err, ErrBlocked) {
		// The error is the first address's. That hides another one, which is allowed
		// and does not answer now: a reason to try again, not to give up.
		return nil, &unreachableError{"no address that is allowed accepts connections"}
	}
	return conn, err
}
