package dispatch

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// ProxyFunc says which proxy a request goes through; nil: none. It is that of
// http.Transport: http.ProxyURL and http.ProxyFromEnvironment are two.
type ProxyFunc = func(*http.Request) (*url.URL, error)

// proxied sends through a proxy what is to go through one.
//
// The connection then goes to the proxy, so that the egress policy cannot be asked
// when it is made. It is asked before, of all addresses that the request's host has:
// the proxy chooses among them. The limit: the proxy looks the name up again, and
// what it finds then is its own to check.
type proxied struct {
	direct, through *http.Transport
	proxy           ProxyFunc
	egress          Egress
	resolver        *net.Resolver
}

// RoundTrip sends the request, directly or through the proxy.
func (p *proxied) RoundTrip(r *http.Request) (*http.Response, error) {
	proxy, err := p.proxy(r)
	switch {
	case err != nil:
		return nil, &unreachableError{"the proxy's URL cannot be used"} // err may quote credentials
	case proxy == nil:
		return p.direct.RoundTrip(r)
	}
	if err := p.check(r.Context(), r.URL.Hostname()); err != nil {
		return nil, err
	}
	return p.through.RoundTrip(r)
}

// check returns an error unless every address of the host is allowed.
func (p *proxied) check(ctx context.Context, host string) error {
	addresses, err := p.lookUp(ctx, host)
	if err != nil {
		return err
	}
	for _, address := range addresses {
		if !p.egress.Allows(address) {
			return &blockedError{address.String()}
		}
	}
	return nil
}

func (p *proxied) lookUp(ctx context.Context, host string) ([]netip.Addr, error) {
	if address, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{address}, nil
	}
	if isAmbiguous(host) {
		return nil, &blockedError{strconv.Quote(host) + ", which a proxy could read as another host"}
	}
	resolver := p.resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	addresses, err := resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("look up host: %w", err)
	}
	return addresses, nil
}

// isAmbiguous reports whether a name may mean an address to a proxy and something
// else to the resolver: letters beyond ASCII, which become others on the way, and
// names that end in a number, as 0x7f.1 (https://url.spec.whatwg.org/#ends-in-a-number-checker).
func isAmbiguous(host string) bool {
	for i := range len(host) {
		if host[i] <= ' ' || host[i] >= 0x7f {
			return true
		}
	}
	host = strings.TrimSuffix(host, ".")
	last := strings.ToLower(host[strings.LastIndexByte(host, '.')+1:])
	hex, isHex := strings.CutPrefix(last, "0x")
	return last == "" || isDigits(last) || isHex && strings.Trim(hex, "0123456789abcdef") == ""
}

// refusedByProxy is for http.Transport, whose own error has no type.
func refusedByProxy(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return &unreachableError{"the proxy answered CONNECT with status " + strconv.Itoa(answer.StatusCode)}
}
