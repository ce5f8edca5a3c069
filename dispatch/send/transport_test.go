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
	"strings"
	"sync/atomic"
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

// TestRenewedCertificateIsShown: a new connection shows the present client certificate, also to a
// receiver that resumes sessions, which would take the sender for the owner of the earlier one.
func TestRenewedCertificateIsShown(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		var present atomic.Pointer[tls.Certificate]
		shown := make(chan string, 1)
		receiver := secureServer(t, &tls.Config{ClientAuth: tls.RequireAnyClientCert, MaxVersion: version})
		receiver.Config.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			shown <- string(r.TLS.PeerCertificates[0].Raw)
		})
		s := newTestSender(t, Options{Timeout: 10 * time.Second, TLS: &tls.Config{
			RootCAs:              receiver.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs,
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return present.Load(), nil },
		}})
		hook := oneHook(t, dispatchtest.HookRow(1, receiver.URL))
		for range 3 {
			certificate, _ := clientCertificate(t)
			present.Store(&certificate)
			if out := s.Send(t.Context(), hook, testMessage); out.Result != Result2xx {
				t.Fatalf("%s: outcome %+v", tls.VersionName(version), out)
			}
			if <-shown != string(certificate.Certificate[0]) {
				t.Errorf("%s: an earlier certificate was shown", tls.VersionName(version))
			}
			s.own.close()
		}
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

// TestFaultyCertificateIsNamed: whoever renews the certificate is told what is wrong with it.
func TestFaultyCertificateIsNamed(t *testing.T) {
	local := []net.IP{net.IPv4(127, 0, 0, 1)}
	for _, tt := range []struct {
		name     string
		template x509.Certificate
		want     string
	}{
		{"expired", x509.Certificate{IPAddresses: local, NotAfter: time.Now().Add(-time.Minute)}, "the receiver's certificate has expired by the clock of this machine"},
		{"not valid yet", x509.Certificate{IPAddresses: local, NotBefore: time.Now().Add(time.Minute)}, "the receiver's certificate is not valid yet by the clock of this machine"},
		{"common name alone", x509.Certificate{}, "the receiver's certificate names no host: it needs a subject alternative name"},
		{"another host", x509.Certificate{DNSNames: []string{"other.test"}}, "the receiver's certificate is for another host"},
		{"not for servers", x509.Certificate{IPAddresses: local, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, "the receiver's certificate is not valid"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.template.Subject.CommonName = "127.0.0.1"
			certificate, roots := selfSigned(t, &tt.template)
			server := secureServer(t, &tls.Config{Certificates: []tls.Certificate{certificate}})
			s := newTestSender(t, Options{Timeout: 10 * time.Second, TLS: &tls.Config{RootCAs: roots}})
			out := s.Send(t.Context(), oneHook(t, dispatchtest.HookRow(1, server.URL)), testMessage)
			if out.Result != ResultTLS || out.Err == nil || out.Err.Error() != tt.want {
				t.Errorf("%s, %v, want %q", out.Result, out.Err, tt.want)
			}
		})
	}
}

// TestFailedHandshakeIsTLS: whatever else goes wrong in a handshake is a matter of TLS,
// unless the connection ends.
func TestFailedHandshakeIsTLS(t *testing.T) {
	hello := func(version, suite string) string { // a ServerHello
		return "\x16\x03\x03\x00\x2a\x02\x00\x00\x26" + version + strings.Repeat("r", 32) + "\x00" + suite + "\x00"
	}
	for _, tt := range []struct {
		name, answer string
		want         Result
		says         string
	}{
		{"TLS 1.0 whatever was asked for", hello("\x03\x01", "\xc0\x13"), ResultTLS, "no agreement on TLS"},
		{"cipher suite that was not offered", hello("\x03\x03", "\x00\x2f"), ResultTLS, "no agreement on TLS"},
		{"another message", "\x16\x03\x03\x00\x04\x0e\x00\x00\x00", ResultTLS, "no agreement on TLS"},
		{"not TLS", "HTTP/1.1 400 Bad Request\r\n\r\n", ResultTLS, "the receiver does not speak TLS on this port"},
		{"half a message", "\x16\x03\x03\x00\x2a\x02", ResultReset, "no valid HTTP answer: the connection broke, or the answer is malformed"},
		{"nothing", "", ResultReset, "no valid HTTP answer: the connection broke, or the answer is malformed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			go func() {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Read(make([]byte, 4<<10)) // ClientHello
				_, _ = io.WriteString(conn, tt.answer)
				conn.Close()
			}()
			s := newTestSender(t, Options{Timeout: 10 * time.Second})
			out := s.Send(t.Context(), oneHook(t, dispatchtest.HookRow(1, "https://"+listener.Addr().String())), testMessage)
			if out.Result != tt.want || out.Err == nil || out.Err.Error() != tt.says || out.Contact != ContactMade {
				t.Errorf("outcome %+v, want %s, %q", out, tt.want, tt.says)
			}
		})
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
	return selfSigned(t, &x509.Certificate{Subject: pkix.Name{CommonName: "hooktail"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

// selfSigned makes a certificate of the template that is its own authority. It is valid
// now unless the template says otherwise.
func selfSigned(t *testing.T, template *x509.Certificate) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.IsCA, template.BasicConstraintsValid = big.NewInt(1), true, true
	template.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign
	if template.NotBefore.IsZero() {
		template.NotBefore = time.Now().Add(-time.Hour)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
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
