package send

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

// testProxy is a proxy that sends everything to one receiver, whatever the host, and
// keeps what it was asked for.
type testProxy struct {
	URL     *url.URL
	to      string // host:port
	refuses int    // the status with which it answers a CONNECT; 0: it makes the tunnel

	mu    sync.Mutex
	asked []string // method, target and credentials
}

func newTestProxy(t *testing.T, receiver string) *testProxy {
	t.Helper()
	to, err := url.Parse(receiver)
	if err != nil {
		t.Fatal(err)
	}
	p := &testProxy{to: to.Host}
	server := httptest.NewServer(p)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	if p.URL, err = url.Parse(server.URL); err != nil {
		t.Fatal(err)
	}
	return p
}

// ServeHTTP forwards, or makes a tunnel.
func (p *testProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, strings.TrimSpace(r.Method+" "+r.RequestURI+" "+r.Header.Get("Proxy-Authorization")))
	p.mu.Unlock()
	switch {
	case r.Method != http.MethodConnect:
		forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Host = p.to
		}}
		forward.ServeHTTP(w, r)
	case p.refuses != 0:
		w.WriteHeader(p.refuses)
	default:
		dispatchtest.Tunnel(r.Context(), w, p.to)
	}
}

func (p *testProxy) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// The proxy itself stands where no hook may go.
const behindProxy = "192.0.2.0/24"

func TestProxy(t *testing.T) {
	receiver := dispatchtest.Receiver(t)
	secure := secureServer(t, &tls.Config{})
	dns := nameServer(map[string]string{
		"hook.test": "192.0.2.7", "example.com": "192.0.2.8",
		"inside.test": "10.0.0.7", "both.test": "192.0.2.7 169.254.169.254", "metadata.google.internal": "169.254.169.254",
		"0x7f.1": "192.0.2.7", "0x7f000001": "192.0.2.7", "host.0x": "192.0.2.7", "host.1.": "192.0.2.7",
	})
	roots := secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs // for example.com
	for _, tt := range []struct {
		name  string
		url   string
		want  Result
		asked string // of the proxy
	}{
		{"http", "http://hook.test:8080/h?a=b", Result2xx, "POST http://hook.test:8080/h?a=b"},
		{"https", "https://example.com/h", Result2xx, "CONNECT example.com:443"},
		{"address", "http://192.0.2.7/h", Result2xx, "POST http://192.0.2.7/h"},
		{"credentials of the hook", "http://user:hush@hook.test/h", Result2xx, "POST http://hook.test/h"},

		{"forbidden address", "http://169.254.169.254/h", ResultBlocked, ""},
		{"the proxy's own address", "http://127.0.0.1/h", ResultBlocked, ""},
		{"mapped address", "http://[::ffff:169.254.169.254]/h", ResultBlocked, ""},
		{"address with a zone", "http://[fe80::1%25eth0]/h", ResultBlocked, ""},
		{"forbidden name", "https://metadata.google.internal/h", ResultBlocked, ""},
		{"private name", "http://inside.test/h", ResultBlocked, ""},
		{"name with a forbidden address", "http://both.test/h", ResultBlocked, ""},
		{"no such name", "http://no.test/h", ResultDNS, ""},

		// The resolver says that these are allowed; a proxy may read 127.0.0.1.
		{"hexadecimal", "http://0x7f.1/h", ResultBlocked, ""},
		{"one number", "http://0x7f000001/h", ResultBlocked, ""},
		{"number of no digits", "http://host.0x/h", ResultBlocked, ""},
		{"trailing dot", "http://host.1./h", ResultBlocked, ""},
		{"decimal", "http://2130706433/h", ResultBlocked, ""},
		{"octal", "http://0177.0.0.1/h", ResultBlocked, ""},
		{"short", "http://127.1/h", ResultBlocked, ""},
		{"circled digits", "http://①②⑦.⓪.⓪.①/h", ResultBlocked, ""},
		{"beyond ASCII", "http://hoök.test/h", ResultBlocked, ""},
		{"dot alone", "http://./h", ResultBlocked, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			target := receiver.URL
			if strings.HasPrefix(tt.url, "https:") {
				target = secure.URL
			}
			proxy := newTestProxy(t, target)
			s := newTestSender(t, Options{
				Timeout: 10 * time.Second, Egress: mustEgress(t, behindProxy), Resolver: dns.resolver(),
				TLS: &tls.Config{RootCAs: roots}, Proxy: http.ProxyURL(proxy.URL),
			})
			out := s.Send(t.Context(), oneHook(t, dispatchtest.HookRow(1, tt.url)), testMessage)
			if out.Result != tt.want {
				t.Errorf("outcome %+v, want %s", out, tt.want)
			}
			if asked := strings.Join(proxy.requests(), ", "); asked != tt.asked {
				t.Errorf("the proxy was asked for %q, want %q", asked, tt.asked)
			}
		})
	}
}

// What a receiver sees is the same with a proxy as without.
func TestProxyPassesTheRequestOn(t *testing.T) {
	receiver := dispatchtest.Receiver(t)
	proxy := newTestProxy(t, receiver.URL)
	proxy.URL.User = url.UserPassword("me", "hush")
	s := newTestSender(t, Options{Proxy: http.ProxyURL(proxy.URL), Resolver: nameServer(map[string]string{"hook.test": "10.0.0.7"}).resolver()})
	if out := s.Send(t.Context(), oneHook(t, dispatchtest.HookRow(1, "http://hook.test/h?a=b")), testMessage); out.Result != Result2xx {
		t.Fatalf("outcome %+v", out)
	}
	got := receiver.Wait(t, "/h", 1)[0]
	if got.Event != testMessage.ID || got.Query != "a=b" || string(got.Body) != string(testMessage.Body.Bytes()) {
		t.Errorf("got %+v", got)
	}
	if got.Header["Proxy-Authorization"] != nil {
		t.Error("the proxy's credentials are passed on")
	}
	basic := base64.StdEncoding.EncodeToString([]byte("me:hush"))
	if asked := proxy.requests(); len(asked) != 1 || asked[0] != "POST http://hook.test/h?a=b Basic "+basic {
		t.Errorf("the proxy was asked for %q", asked)
	}
}

// A proxy that does not serve is a way that is closed for now: it is tried again.
// What is said of it shows none of its credentials.
func TestProxyFails(t *testing.T) {
	dns := nameServer(map[string]string{"hook.test": "10.0.0.7"})
	refusing := newTestProxy(t, "http://127.0.0.1:1")
	refusing.refuses = http.StatusProxyAuthRequired
	refusing.URL.User = url.UserPassword("me", "hush")
	down, err := url.Parse(closedPort(t))
	if err != nil {
		t.Fatal(err)
	}
	down.User = url.UserPassword("me", "hush")
	for _, tt := range []struct {
		name  string
		proxy ProxyFunc
		says  string
	}{
		{"refuses", http.ProxyURL(refusing.URL), "the proxy answered CONNECT with status 407"},
		{"is down", http.ProxyURL(down), "connection refused"},
		{"has no name", http.ProxyURL(&url.URL{Scheme: "http", User: down.User, Host: "no.test:3128"}), "look up no.test: no such host"},
		{"cannot be used", func(*http.Request) (*url.URL, error) { return nil, errors.New("parse http://me:hush@x:y") }, "the proxy's URL cannot be used"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newTestSender(t, Options{Timeout: 10 * time.Second, Proxy: tt.proxy, Resolver: dns.resolver()})
			out := s.Send(t.Context(), oneHook(t, dispatchtest.HookRow(1, "https://hook.test/h")), testMessage)
			if out.Result != ResultRefused && out.Result != ResultDNS {
				t.Errorf("outcome %+v", out)
			}
			if out.Err == nil || !strings.Contains(out.Err.Error(), tt.says) || strings.Contains(out.Err.Error(), "hush") {
				t.Errorf("error %q, want %q", out.Err, tt.says)
			}
		})
	}
}

// What goes past the proxy is checked as it is without one, also if it is the
// proxy's own address.
func TestPastTheProxy(t *testing.T) {
	receiver := dispatchtest.Receiver(t)
	proxy := newTestProxy(t, receiver.URL)
	past := func(*http.Request) (*url.URL, error) { return nil, nil }
	for _, tt := range []struct {
		name, url, policy string
		want              Result
	}{
		{"allowed", receiver.URL, "internal", Result2xx},
		{"forbidden", "http://169.254.169.254/", "internal", ResultBlocked},
		{"the proxy itself", proxy.URL.String(), "public", ResultBlocked},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newTestSender(t, Options{Egress: mustEgress(t, tt.policy), Proxy: past})
			if out := s.Send(t.Context(), oneHook(t, dispatchtest.HookRow(1, tt.url)), testMessage); out.Result != tt.want {
				t.Errorf("outcome %+v, want %s", out, tt.want)
			}
		})
	}
	if asked := proxy.requests(); len(asked) != 0 {
		t.Errorf("the proxy was asked for %q", asked)
	}
}
