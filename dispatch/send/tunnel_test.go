package send

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

// TestSilentProxyIsGivenUp: a proxy that does not answer costs a connection for as long as
// an attempt may take, and no longer.
func TestSilentProxyIsGivenUp(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			ended := make(chan struct{})
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				<-r.Context().Done() // the connection is closed
				close(ended)
			}))
			server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
			trusting := &tls.Config{}
			if scheme == "https" {
				server.StartTLS()
				trusting = server.Client().Transport.(*http.Transport).TLSClientConfig
			} else {
				server.Start()
			}
			t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
			proxy, err := url.Parse(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			s := newTestSender(t, Options{Timeout: 300 * time.Millisecond, Proxy: http.ProxyURL(proxy), TLS: trusting})
			if out := s.Send(t.Context(), oneHook(t, dispatchtest.HookRow(1, "https://10.0.0.7/h")), testMessage); out.Result != ResultTimeout {
				t.Errorf("outcome %+v", out)
			}
			select {
			case <-ended:
			case <-time.After(20 * time.Second):
				t.Error("the connection is still open")
			}
		})
	}
}

// TestTunnelLasts: the wait for the proxy's answer ends with the answer, not the tunnel.
func TestTunnelLasts(t *testing.T) {
	secure := secureServer(t, &tls.Config{})
	proxy := newTestProxy(t, secure.URL)
	const timeout = time.Second // the loaded machine's attempts need some of it
	s := newTestSender(t, Options{
		Timeout: timeout, Proxy: http.ProxyURL(proxy.URL), TLS: secure.Client().Transport.(*http.Transport).TLSClientConfig,
	})
	hook := oneHook(t, dispatchtest.HookRow(1, "https://127.0.0.1/h"))
	for begun := time.Now(); time.Since(begun) < 3*timeout/2; {
		if out := s.Send(t.Context(), hook, testMessage); out.Result != Result2xx {
			t.Fatalf("outcome %+v", out)
		}
	}
	if asked := proxy.requests(); len(asked) != 1 {
		t.Errorf("%d tunnels were made", len(asked))
	}
}
