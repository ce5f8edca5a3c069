package status

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// policy lets the page load its own script and style, ask its own server, and
// nothing else; nothing that is shown can become a script.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// maxForm bounds what is sent to the server.
const maxForm = 64 << 10

// protect wraps what browsers ask: headers, the check of the name that the server
// was called by, and, for what changes anything, of where the request came from.
func protect(local bool, next http.Handler) http.Handler {
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
		if local && !sameMachine(r.Host) {
			refuse(w, http.StatusMisdirectedRequest, "this server is for this machine: call it localhost, or by its address")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	})
}

// sameMachine reports whether a server on a loopback address may be called by that
// name. A page elsewhere whose name suddenly means 127.0.0.1 (DNS rebinding) is of
// the same origin as the server for a browser; but it comes with a name. So an
// address will do, and localhost, which is always this machine (RFC 6761 6.3).
func sameMachine(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if name == "" || name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	_, err = netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil
}
