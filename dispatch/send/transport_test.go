package send

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

func TestTLS(t *testing.T) {
	client, clients := clientCertificate(t)
	plain := secureServer(t, &tls.Config{})
	mutual := secureServer(t, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients})
	dated := secureServer(t, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	least := secureServer(t, &tls.Config{MaxVersion: tls.VersionTLS12})
	roots := plain.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs // the same of all
	for _, tt := range []struct {
		name   string
		config *tls.Config
		server *httptest.Server
		want   Result
	}{
		{"own authority", &tls.Config{RootCAs: roots}, plain, Result2xx},
		{"unknown authority", nil, plain, ResultTLS},
		{"certificate shown", &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{client}}, mutual, Result2xx},
		{"certificate missing", &tls.Config{RootCAs: roots}, mutual, ResultTLS},
		{"TLS 1.2", &tls.Config{RootCAs: roots}, least, Result2xx},
		{"TLS 1.1", &tls.Config{RootCAs: roots}, dated, ResultTLS},
		{"TLS 1.1, though it is asked for", &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10}, dated, ResultTLS},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newTestSender(t, Options{Timeout: 10 * time.Second, TLS: tt.config})
			if out := s.Send(t.Context(), oneHook(t, dispatchtest.HookRow(1, tt.server.URL)), testMessage); out.Result != tt.want {
				t.Errorf("outcome %+v, want %s", out, tt.want)
			}
		})
	}
}

// TestTLSRefusalIsNamed: what the receiver wants is said, in the words of the protocol.
func TestTLSRefusalIsNamed(t *testing.T) {
	_, clients := clientCertificate(t)
	mutual := secureServer(t, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients})
	dated := secureServer(t, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	roots := mutual.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	s := newTestSender(t, Options{Timeout: 10 * time.Second, TLS: &tls.Config{RootCAs: roots}})
	for url, want := range map[string]string{
		mutual.URL: "the receiver refused TLS: certificate required",
		dated.URL:  "the receiver refused TLS: protocol version not supported",
	} {
		if out := s.Send(t.Context(), oneHook(t, dispatchtest.HookRow(1, url)), testMessage); out.Err == nil || out.Err.Error() != want {
			t.Errorf("%v, want %q", out.Err, want)
		}
	}
}

// The configuration is the caller's, who may use it elsewhere.
func TestTLSConfigIsNotChanged(t *testing.T) {
	config := &tls.Config{MinVersion: tls.VersionTLS10}
	newTestSender(t, Options{TLS: config})
	if config.MinVersion != tls.VersionTLS10 {
		t.Errorf("MinVersion became %x", config.MinVersion)
	}
}

// A receiver that says nothing when TLS begins costs a connection for as long as an
// attempt may take, and no longer.
func TestHungHandshakeIsGivenUp(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ended := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			ended <- err
			return
		}
		defer conn.Close()
		_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
		_, err = io.Copy(io.Discard, conn)
		ended <- err
	}()
	s := newTestSender(t, Options{Timeout: 200 * time.Millisecond})
	out := s.Send(t.Context(), oneHook(t, dispatchtest.HookRow(1, "https://"+listener.Addr().String()+"/")), testMessage)
	if out.Result != ResultTimeout {
		t.Errorf("outcome %+v", out)
	}
	if err := <-ended; err != nil {
		t.Errorf("the connection was not given up: %v", err)
	}
}

// secureServer has httptest's certificate for 127.0.0.1.
func secureServer(t *testing.T, config *tls.Config) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	server.TLS = config
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// clientCertificate is a certificate that is its own authority.
func clientCertificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "hooktail"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}
