package status

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// policy lets the page load its own scripts and styles and query its own server, and
// nothing else; shown text cannot become a script.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// maxForm bounds request bodies, in bytes.
const maxForm = 64 << 10

// protect adds headers to all responses and checks the origin of requests that change
// something.
func protect(next http.Handler) http.Handler {
	var crossOrigin http.CrossOriginProtection
	crossOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusForbidden, "the request comes from another page")
	}))
	next = crossOrigin.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	})
}

// CheckHost passes requests whose Host is localhost, an address of this machine, or one
// of hosts, which are names and addresses without a port. It refuses others with 421.
// This stops DNS rebinding: a page elsewhere whose name suddenly points to this machine
// has the same origin as the server for a browser, but its own name as the Host. Probes
// pass under any name: they reveal nothing, and a load balancer may use its own.
func CheckHost(hosts []string, next http.Handler) http.Handler {
	named := make(map[string]bool)
	for _, host := range hosts {
		named[plain(host)] = true
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := plain(hostOf(r.Host))
		if r.URL.Path != "/livez" && r.URL.Path != "/readyz" && !named[host] && !isThisMachine(host, r) {
			refuse(w, http.StatusMisdirectedRequest, "this server does not accept that host name: use localhost or an address of the machine, or add the name to HOOKTAIL_HTTP_HOSTS")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hostOf returns the host without its port, if it has one.
func hostOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

// plain returns the canonical spelling of a host.
func plain(host string) string {
	host = strings.TrimSuffix(strings.ToLower(strings.Trim(strings.TrimSpace(host), "[]")), ".")
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().WithZone("").String()
	}
	return host
}

// isThisMachine reports whether the host, in its plain form, is this machine: localhost
// (RFC 6761, section 6.3), an address of one of its interfaces, or the address at which
// the request arrived; 0.0.0.0 and :: also mean this machine. Browsers always send a
// host.
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
