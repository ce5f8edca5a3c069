package status

import (
	"context"
	"net"
	"net/http"
	"testing"
)

// TestHostIsChecked: whatever address the server listens on, a name that nobody has given
// it is refused, except by probes.
func TestHostIsChecked(t *testing.T) {
	hosts := []string{"hooktail.example.com", " Hooktail", "10.0.0.7"}
	own := "127.0.0.1" // an address of this machine, other than a loopback one if there is any
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range addrs {
		if network, ok := addr.(*net.IPNet); ok && !network.IP.IsLoopback() && network.IP.To4() != nil {
			own = network.IP.String()
		}
	}
	for _, tt := range []struct {
		host, path string
		want       int
	}{
		{"localhost:8484", "/status", 200},
		{"LOCALHOST.", "/status", 200},
		{"hooktail.localhost:8484", "/status", 200},
		{"127.0.0.1:8484", "/status", 200},
		{"127.5.5.5", "/status", 200},
		{"[::1]:8484", "/status", 200},
		{"[::1]", "/status", 200},
		{"[::ffff:127.0.0.1]:8484", "/status", 200},
		{own + ":8484", "/status", 200},
		{"192.0.2.17:8484", "/status", 200}, // to which the connection came
		{"0.0.0.0:8484", "/status", 200},
		{"[::]:8484", "/status", 200},
		{"", "/status", 200},
		{"hooktail:8484", "/status", 200},
		{"HOOKTAIL.example.com.", "/status", 200},
		{"10.0.0.7", "/status", 200},
		{"10.0.0.8", "/status", 421},
		{"[fd00::8]:8484", "/status", 421},
		{"evil.example", "/status", 421},
		{"evil.example:8484", "/status", 421},
		{"localhost.evil.example", "/status", 421},
		{"127.0.0.1.evil.example", "/status", 421},
		{"hooktail.example.com.evil.example", "/status", 421},
		{"evil.hooktail", "/status", 421},
		{"2130706433", "/status", 421},
		{"0x7f.1", "/status", 421},
		{"evil.example", "/", 421},
		{"evil.example", "/page.js", 421},
		{"evil.example", "/session", 421},
		{"evil.example", "/metrics", 421},
		{"evil.example", "/act", 421},
		{"evil.example", "//livez", 421},
		{"evil.example", "/livez", 404}, // the probe's own answer is not of this package
		{"evil.example", "/readyz", 404},
	} {
		_, page := newStage(Options{})
		h := CheckHost(hosts, page)
		reached := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			at := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 17), Port: 8484}
			h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, at)))
		})
		if w := call(reached, http.MethodGet, tt.path, "", "Host", tt.host); w.Code != tt.want {
			t.Errorf("host %q, %s: %d, want %d", tt.host, tt.path, w.Code, tt.want)
		}
	}
}
