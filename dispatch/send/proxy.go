package send

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ProxyFunc returns the proxy for a request; nil: none. It has the type used by
// http.Transport, such as http.ProxyURL and http.ProxyFromEnvironment.
type ProxyFunc = func(*http.Request) (*url.URL, error)

// isProxied reports whether the request goes through the proxy. Its connection then goes
// to the proxy, so the egress policy cannot check it when it is made. Instead, all
// addresses of the request's host are checked here, since the proxy chooses among them.
// The limit: the proxy looks up the name again, and must check the result itself.
func (t *ownTransport) isProxied(r *http.Request) (bool, error) {
	if t.proxy == nil {
		return false, nil
	}
	proxy, err := t.proxy(r)
	switch {
	case err != nil:
		return false, &unreachableError{why: "the proxy's URL cannot be used"} // the error may quote credentials
	case proxy == nil:
		return false, nil
	}
	addresses, err := t.lookUp(r.Context(), r.URL.Hostname())
	if err == nil {
		_, err = t.dialer.allowed(addresses, 0)
	}
	return true, err
}

func (t *ownTransport) lookUp(ctx context.Context, host string) ([]netip.Addr, error) {
	if address, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{address}, nil
	}
	if isAmbiguous(host) {
		return nil, &blockedError{strconv.Quote(host) + ", which a proxy could read as another host"}
	}
	ctx, cancel := context.WithTimeout(ctx, t.dialer.timeout)
	defer cancel()
	answers := lookUp(ctx, t.dialer.resolver, host)
	first := <-answers // both families if both answers arrive in time
	cancel()
	for range answers { // until the look-ups have ended
	}
	return first.addrs, noAnswer(first.err, host)
}

// isAmbiguous reports whether a name may mean an address to a proxy and something else to
// the resolver: names with letters beyond ASCII, which are converted on the way, and
// names that end in a number, such as 0x7f.1
// (https://url.spec.whatwg.org/#ends-in-a-number-checker).
func isAmbiguous(host string) bool {
	if strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return true
	}
	host = strings.TrimSuffix(host, ".")
	last := strings.ToLower(host[strings.LastIndexByte(host, '.')+1:])
	hex, isHex := strings.CutPrefix(last, "0x")
	return last == "" || isDigits(last) || isHex && strings.Trim(hex, "0123456789abcdef") == ""
}

// isOfProxy reports whether it was the proxy that could not be reached, according to http.Transport.
func isOfProxy(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "proxyconnect"
}

// refusedByProxy is for http.Transport, whose own error has no type.
func refusedByProxy(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	switch answer.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout: // it is about the path beyond the proxy
		return &unreachableError{why: "the proxy answered CONNECT with status " + strconv.Itoa(answer.StatusCode)}
	default:
		return &unreachableError{why: "the proxy answered CONNECT with status " + strconv.Itoa(answer.StatusCode), ofProxy: true}
	}
}

// dialFunc is the type of http.Transport's dial functions.
type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// proxyConn is a connection to a proxy that ends if the proxy does not answer CONNECT in
// time. net/http would wait a minute after the request has ended, and collect a connection
// for each attempt (https://go.dev/issue/28012).
type proxyConn struct {
	net.Conn
	hop   *dialer
	used  bool // something was written
	asked bool // CONNECT waits for its answer
}

// viaProxy returns a function that dials connections to proxies with a function of the dialer.
func viaProxy(hop *dialer, dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &proxyConn{Conn: conn, hop: hop}, nil
	}
}

// Write begins the wait if the first bytes are a CONNECT. Nothing is read before them.
func (c *proxyConn) Write(b []byte) (int, error) {
	if !c.used {
		if c.used = true; bytes.HasPrefix(b, []byte("CONNECT ")) {
			c.asked = true
			_ = c.SetReadDeadline(time.Now().Add(c.hop.timeout)) // an error is that of the next read
		}
	}
	return c.Conn.Write(b)
}

// Read ends the wait. An address of the proxy that does not answer is tried last the next time.
func (c *proxyConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	switch {
	case c.asked && n > 0:
		c.asked = false
		_ = c.SetReadDeadline(time.Time{}) // an error is that of the next read
	case c.asked && isTimeout(err):
		c.hop.known.fail(addrPortOf(c), time.Now())
	}
	return n, err
}
