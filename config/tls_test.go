package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"testing"
	"time"

	"github.com/hooktail/hooktail/config"
)

// pair is a certificate that is its own authority, and its key, in PEM.
type pair struct{ certificate, key string }

func newPair(t *testing.T, name string) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pair{
		certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})),
		key:         string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
	}
}

func TestClientTLS(t *testing.T) {
	t.Parallel()
	a, b := newPair(t, "a"), newPair(t, "b")
	tests := []struct {
		name         string
		in           []string
		authorities  []pair
		certificates int
	}{
		{"authority", []string{"HOOKTAIL_TLS_CA=" + a.certificate}, []pair{a}, 0},
		{"authorities from a file", []string{"HOOKTAIL_TLS_CA_FILE=" + write(t, "# ours\n"+a.certificate+"\n"+b.certificate)}, []pair{a, b}, 0},
		{"certificate", []string{"HOOKTAIL_TLS_CERT=" + a.certificate, "HOOKTAIL_TLS_KEY_FILE=" + write(t, a.key)}, nil, 1},
		{"certificate with its chain", []string{"HOOKTAIL_TLS_CERT=" + a.certificate + b.certificate, "HOOKTAIL_TLS_KEY=" + a.key}, nil, 2},
		{"all", []string{"HOOKTAIL_TLS_CA=" + b.certificate, "HOOKTAIL_TLS_CERT=" + a.certificate, "HOOKTAIL_TLS_KEY=" + a.key}, []pair{b}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := load(t, tt.in...)
			if got == nil || got.MinVersion != tls.VersionTLS12 {
				t.Fatalf("ClientTLS = %+v", got)
			}
			if (got.RootCAs != nil) != (tt.authorities != nil) {
				t.Errorf("RootCAs = %v", got.RootCAs)
			}
			for _, authority := range tt.authorities {
				block, _ := pem.Decode([]byte(authority.certificate))
				certificate, err := x509.ParseCertificate(block.Bytes)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := certificate.Verify(x509.VerifyOptions{Roots: got.RootCAs}); err != nil {
					t.Errorf("%s is not trusted: %v", certificate.Subject, err)
				}
			}
			chain := 0
			for _, certificate := range got.Certificates {
				chain += len(certificate.Certificate)
			}
			if chain != tt.certificates {
				t.Errorf("%d certificates are shown, want %d", chain, tt.certificates)
			}
		})
	}
	if got := load(t); got != nil {
		t.Errorf("ClientTLS without a variable = %+v, want nil", got)
	}
}

// The system's authorities stay: a receiver with a public certificate is trusted
// beside those of the own authority.
func TestClientTLSKeepsTheSystemsAuthorities(t *testing.T) {
	t.Parallel()
	want, err := x509.SystemCertPool()
	if err != nil {
		t.Fatal(err)
	}
	own := newPair(t, "own")
	want.AppendCertsFromPEM([]byte(own.certificate))
	if got := load(t, "HOOKTAIL_TLS_CA="+own.certificate); !got.RootCAs.Equal(want) {
		t.Error("RootCAs are not the system's and the own one")
	}
}

// TestRenewedCertificateIsShown: a certificate is renewed by changing its files, one after
// the other, and at no time is there none to show.
func TestRenewedCertificateIsShown(t *testing.T) {
	t.Parallel()
	a, b := newPair(t, "a"), newPair(t, "b")
	certificate, key := write(t, a.certificate), write(t, a.key)
	client := load(t, "HOOKTAIL_TLS_CERT_FILE="+certificate, "HOOKTAIL_TLS_KEY_FILE="+key)
	for _, step := range []struct{ name, path, content, want string }{
		{"as at the start", "", "", "a"},
		{"certificate is being written", certificate, "", "a"},
		{"certificate is new", certificate, b.certificate, "a"},
		{"key is new", key, b.key, "b"},
		{"certificate is the old one again", certificate, a.certificate, "b"},
		{"key is no key", key, "x", "b"},
	} {
		if step.path != "" {
			if err := os.WriteFile(step.path, []byte(step.content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := shown(t, client, nil); got != step.want {
			t.Errorf("%s: %q is shown, want %q", step.name, got, step.want)
		}
	}
	other := x509.NewCertPool()
	other.AppendCertsFromPEM([]byte(a.certificate))
	if got := shown(t, client, other); got != "" {
		t.Errorf("%q is shown to a server that accepts another authority's", got)
	}
}

// shown returns the name in the certificate that the client shows to a server that
// accepts certificates of these authorities, of all if nil; "" for none.
func shown(t *testing.T, client *tls.Config, authorities *x509.CertPool) string {
	t.Helper()
	own := newPair(t, "server")
	certificate, err := tls.X509KeyPair([]byte(own.certificate), []byte(own.key))
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	defer ours.Close()
	defer theirs.Close()
	server := tls.Server(theirs, &tls.Config{Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequestClientCert, ClientCAs: authorities})
	asked := make(chan error, 1)
	go func() { asked <- server.HandshakeContext(t.Context()) }()
	trusting := client.Clone()
	trusting.InsecureSkipVerify = true
	if err := tls.Client(ours, trusting).HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, ours) }() // session tickets
	if err := <-asked; err != nil {
		t.Fatal(err)
	}
	if got := server.ConnectionState().PeerCertificates; len(got) > 0 {
		return got[0].Subject.CommonName
	}
	return ""
}

func load(t *testing.T, environ ...string) *tls.Config {
	t.Helper()
	c, err := config.Load(append([]string{database}, environ...))
	if err != nil {
		t.Fatal(err)
	}
	client, err := c.ClientTLS()
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestTLSRefuses(t *testing.T) {
	t.Parallel()
	a, b := newPair(t, "a"), newPair(t, "b")
	encrypted := string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")}))
	dated := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED"}, Bytes: []byte("x")}))
	const allowed = ": use a private key in PEM, not encrypted"
	tests := []struct {
		name             string
		certificate, key string
		want             string
	}{
		{"certificate alone", a.certificate, "", "HOOKTAIL_TLS_KEY is not set, but HOOKTAIL_TLS_CERT is: set both, or neither"},
		{"key of another certificate", a.certificate, b.key, "HOOKTAIL_TLS_KEY=*** is not the private key of HOOKTAIL_TLS_CERT" + allowed},
		{"no key", a.certificate, a.certificate, "HOOKTAIL_TLS_KEY=*** is not the private key of HOOKTAIL_TLS_CERT" + allowed},
		{"path of a key", a.certificate, "/etc/key.pem", "HOOKTAIL_TLS_KEY=*** is a path: use the variable whose name ends in _FILE"},
		{"encrypted", a.certificate, encrypted, "HOOKTAIL_TLS_KEY=*** is encrypted" + allowed},
		{"encrypted as of old", a.certificate, dated, "HOOKTAIL_TLS_KEY=*** is encrypted" + allowed},
		{"key beside a broken certificate", "x", a.key, "HOOKTAIL_TLS_CERT=*** has no PEM block: use certificates in PEM, hooktail's own first"},
		{"certificate with its key", a.certificate + a.key, a.key, "HOOKTAIL_TLS_CERT=*** has an invalid entry 2 (not a certificate): use certificates in PEM, hooktail's own first"},
		{"second certificate cut off", a.certificate + b.certificate[:100], a.key, "HOOKTAIL_TLS_CERT=*** has an invalid entry 2 (a PEM block that cannot be parsed): use certificates in PEM, hooktail's own first"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Load([]string{database, "HOOKTAIL_TLS_CERT=" + tt.certificate, "HOOKTAIL_TLS_KEY=" + tt.key})
			if _, ok := errors.AsType[*config.ValueError](err); !ok || err.Error() != tt.want {
				t.Errorf("Load error = %v, want %s", err, tt.want)
			}
		})
	}
}
