package main

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/internal/wiring"
)

// TestReceiverBehindTLSAndAProxy: the variables for TLS and the proxy reach the
// requests.
func TestReceiverBehindTLSAndAProxy(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	got := make(chan string, 10)
	receiver := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		got <- r.Header.Get("webhook-id")
	}))
	defer receiver.Close()
	asked := make(chan string, 10)
	proxy := httptest.NewServer(tunnels(asked))
	defer proxy.Close()
	authority := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: receiver.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	db.Exec(t, "DELETE FROM webhook_action")
	db.Exec(t, "DELETE FROM webhook")
	db.Exec(t, `INSERT INTO webhook (id, url, headers, organization_id, project_id, send_payload, send_for_all_actions, is_active, created_at, updated_at)
		VALUES (1, $1, '{}', 1, NULL, true, true, true, '2026-01-01', now())`, receiver.URL)
	p := start(t, db, "HOOKTAIL_SETTLE=0", "HOOKTAIL_TIMEOUT=10s", "HOOKTAIL_TLS_CA_FILE="+authority,
		"HOOKTAIL_PROXY=http://me:hush@"+strings.TrimPrefix(proxy.URL, "http://"))
	db.Exec(t, annotate, 7)
	delivered(t, db)
	if id := <-got; id == "" {
		t.Error("the request has no webhook-id")
	}
	if target := <-asked; target != "CONNECT "+strings.TrimPrefix(receiver.URL, "https://")+" Basic bWU6aHVzaA==" {
		t.Errorf("the proxy was asked for %q", target)
	}
	if strings.Contains(p.err.String(), "hush") {
		t.Errorf("the log shows the proxy's password:\n%s", p.err)
	}
}

// tunnels is a proxy that does what it is asked for, and says so.
func tunnels(asked chan<- string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.RequestURI + " " + r.Header.Get("Proxy-Authorization")
		dispatchtest.Tunnel(r.Context(), w, r.RequestURI)
	})
}

// TestNoProxyUnlessAskedFor: the usual variables of a machine do not move the
// requests.
func TestNoProxyUnlessAskedFor(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, in string
		asks     bool
	}{
		{"not set", "", false},
		{"URL", "HOOKTAIL_PROXY=http://proxy:3128", true},
		{"as usual", "HOOKTAIL_PROXY=environment", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := &app{stderr: io.Discard, environ: []string{"HOOKTAIL_DATABASE_URL=postgres://h/d", tt.in}}
			cfg, err := a.config()
			if err != nil {
				t.Fatal(err)
			}
			proxy, err := wiring.Proxy(cfg)
			if err != nil || (proxy != nil) != tt.asks {
				t.Errorf("proxy %t, %v, want %t", proxy != nil, err, tt.asks)
			}
		})
	}
}
