package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// noAuthorities makes the test below be a program on a machine without a list of
// authorities.
const noAuthorities = "NO_AUTHORITIES"

// TestPublicAuthoritiesWithoutAListOfTheSystem: in an image that has the program
// and nothing else, it trusts the authorities that browsers trust.
func TestPublicAuthoritiesWithoutAListOfTheSystem(t *testing.T) {
	if os.Getenv(noAuthorities) == "" {
		t.Parallel()
		child := exec.Command(os.Args[0], "-test.v", "-test.run=^"+t.Name()+"$")
		child.Env = append(withAuthorities(os.Environ(), filepath.Join(t.TempDir(), "nowhere")), noAuthorities+"=1")
		if out, err := child.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Errorf("without a list: %v\n%s", err, out)
		}
		return
	}
	trusted := 0
	for root := range bundle.Roots() {
		certificate, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			t.Fatal(err)
		}
		if root.Constraint != nil {
			continue // trusted for what it signed until some day
		}
		// When it was valid, whatever today is.
		then := x509.VerifyOptions{CurrentTime: certificate.NotBefore.Add(24 * time.Hour), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
		if _, err := certificate.Verify(then); err != nil {
			t.Errorf("%s: %v", certificate.Subject, err)
		}
		trusted++
	}
	if trusted < 50 {
		t.Errorf("only %d authorities are built in", trusted)
	}
}

// TestTheListOfTheSystemCounts: where there is a list, a receiver is trusted
// whose certificate leads to it by way of an intermediate authority, and no other.
func TestTheListOfTheSystemCounts(t *testing.T) {
	t.Parallel()
	receiver, root := signedReceiver(t)
	list := filepath.Join(t.TempDir(), "authorities.pem")
	if err := os.WriteFile(list, root, 0o600); err != nil {
		t.Fatal(err)
	}
	db := cdctest.Postgres(t).LabelStudio(t)
	setUpOnce(t, db)
	environ := proctest.RoleEnviron(db, "HOOKTAIL_TIMEOUT=1m")
	db.Exec(t, "UPDATE webhook SET url = $1, headers = '{}' WHERE id = 1", receiver.URL)
	for _, c := range []struct {
		name, list, want string
		code             int
	}{
		{"there", list, `200 \(2xx\)`, exitDone},
		{"not there", list + ".gone", "tls after .*unknown authority", exitFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			child := proctest.Start(t, withAuthorities(environ, c.list), "hooks", "ping", "1")
			if code := child.Wait(t); code != c.code || !regexp.MustCompile(c.want).MatchString(child.Stdout.String()) {
				t.Errorf("exit code = %d, want %d and %q:\n%s%s", code, c.code, c.want, child.Stdout, child.Stderr)
			}
		})
	}
}

// withAuthorities is the environment of a machine whose only list is the file.
func withAuthorities(environ []string, file string) []string {
	return append(slices.Clip(environ), "SSL_CERT_FILE="+file, "SSL_CERT_DIR="+file+".d")
}

// signedReceiver answers 200 under a certificate that an intermediate authority
// signed, as public ones do; root is the authority above it, in PEM.
func signedReceiver(t *testing.T) (receiver *httptest.Server, root []byte) {
	t.Helper()
	now := time.Now()
	authority := func(serial int64, name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		}
	}
	top, middle := authority(1, "root"), authority(2, "intermediate")
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "receiver"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	var keys []*ecdsa.PrivateKey
	for range 3 {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	sign := func(certificate, parent *x509.Certificate, key, by int) []byte {
		der, err := x509.CreateCertificate(rand.Reader, certificate, parent, keys[key].Public(), keys[by])
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	rootDER, middleDER, leafDER := sign(top, top, 0, 0), sign(middle, top, 1, 0), sign(leaf, middle, 2, 1)
	receiver = httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	receiver.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leafDER, middleDER}, PrivateKey: keys[2]}}}
	receiver.StartTLS()
	t.Cleanup(receiver.Close)
	return receiver, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER})
}
