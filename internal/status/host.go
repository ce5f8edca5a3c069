package status

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// CheckHost lets requests pass that call the server by localhost, by an address of this
// machine, or by one of the hosts, which are names and addresses without a port. It refuses
// others with 421: a page elsewhere whose name suddenly means this machine (DNS rebinding)
// is of the same origin as the server for a browser, but it comes with its own name. Probes
// pass by any name: they show nothing, and a load balancer may have its own.
func CheckHost(hosts []string, next http.Handler) http.Handler {
	named := make(map[string]bool)
	for _, host := range hosts {
		named[plain(host)] = true
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := plain(hostOf(r.Host))
		if r.URL.Path != "/livez" && r.URL.Path != "/readyz" && !named[host] && !isThisMachine(host, r) {
			refuse(w, http.StatusMisdirectedRequest, "this server is not called by that name: ask localhost or an address of its machine, or put the name into HOOKTAIL_HTTP_HOSTS")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hostOf is the host without its port.
func hostOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

// plain is the form in which two spellings of a host are equal.
func plain(host string) string {
	host = strings.TrimSuffix(strings.ToLower(strings.Trim(strings.TrimSpace(host), "[]")), ".")
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().WithZone("").String()
	}
	return host
}

// isThisMachine reports whether the host, in its plain form, is this machine: localhost
// (RFC 6761, section 6.3), an address of one of its interfaces, or the address to which the
// request came; 0.0.0.0 and :: lead to no other. A request without a host is no browser's.
func isThisMachine(host string, r *http.Request) bool {
	if host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); addr.IsLoopback() || addr.IsUnspecified() || ok && plain(hostOf(local.String())) == host {
		return true
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, o := range own {
		if network, ok := o.(*net.IPNet); ok && plain(network.IP.String()) == host {
			return true
		}
	}
	return false
}
