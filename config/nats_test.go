package config_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"

	"github.com/hooktail/hooktail/config"
)

// seedOf returns the seed of a new key of that kind.
func seedOf(t *testing.T, create func() (nkeys.KeyPair, error)) string {
	t.Helper()
	pair, err := create()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	return string(seed)
}

// credsOf returns a credentials file with the JWT and the seed.
func credsOf(token, seed string) string {
	return "-----BEGIN NATS USER JWT-----\n" + token + "\n------END NATS USER JWT------\n\n" +
		"-----BEGIN USER NKEY SEED-----\n" + seed + "\n------END USER NKEY SEED------\n"
}

func TestNATSTLS(t *testing.T) {
	t.Parallel()
	own := newPair(t, "own")
	c, err := config.Load([]string{
		database, "HOOKTAIL_NATS_URL=tls://a", "HOOKTAIL_NATS_CA_FILE=" + write(t, own.certificate),
		"HOOKTAIL_NATS_CERT=" + own.certificate, "HOOKTAIL_NATS_KEY_FILE=" + write(t, own.key),
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.NATSTLS()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode([]byte(own.certificate))
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := certificate.Verify(x509.VerifyOptions{Roots: got.RootCAs}); err != nil || len(got.Certificates) != 1 {
		t.Errorf("%d certificates, and the authority: %v", len(got.Certificates), err)
	}
	if receivers, err := c.ClientTLS(); receivers != nil || err != nil {
		t.Errorf("TLS with receivers = %+v, %v, want none", receivers, err)
	}
}

func TestNATSLogin(t *testing.T) {
	t.Parallel()
	const url = "HOOKTAIL_NATS_URL=nats://a"
	user := seedOf(t, nkeys.CreateUser)
	creds := credsOf("a.b.c", user)
	for name, in := range map[string][]string{
		"seed":                  {url, "HOOKTAIL_NATS_NKEY=" + user},
		"seed from a file":      {url, "HOOKTAIL_NATS_NKEY_FILE=" + write(t, user+"\n")},
		"credentials from file": {url, "HOOKTAIL_NATS_CREDS_FILE=" + write(t, creds)},
	} {
		if _, err := config.Load(append([]string{database}, in...)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNATSRefuses(t *testing.T) {
	t.Parallel()
	const url = "HOOKTAIL_NATS_URL=nats://a"
	user, account := seedOf(t, nkeys.CreateUser), seedOf(t, nkeys.CreateAccount)
	creds, a, b := credsOf("a.b.c", user), newPair(t, "a"), newPair(t, "b")
	const file, seed = "use the content of a credentials file (.creds), with a user's JWT and seed", "use the seed of a user's NKey, which begins with SU"
	tests := []struct {
		name string
		in   []string
		want string
	}{
		{"authority without a server", []string{"HOOKTAIL_NATS_CA=" + a.certificate}, "HOOKTAIL_NATS_CA=*** is set, but HOOKTAIL_NATS_URL is not: set both, or neither"},
		{"credentials without a server", []string{"HOOKTAIL_NATS_CREDS=" + creds}, "HOOKTAIL_NATS_CREDS=*** is set, but HOOKTAIL_NATS_URL is not: set both, or neither"},
		{"seed without a server", []string{"HOOKTAIL_NATS_NKEY=" + user}, "HOOKTAIL_NATS_NKEY=*** is set, but HOOKTAIL_NATS_URL is not: set both, or neither"},
		{"authority that is a path", []string{url, "HOOKTAIL_NATS_CA=/etc/ca.pem"}, "HOOKTAIL_NATS_CA=*** is a path: use the variable whose name ends in _FILE"},
		{"certificate alone", []string{url, "HOOKTAIL_NATS_CERT=" + a.certificate}, "HOOKTAIL_NATS_KEY is not set, but HOOKTAIL_NATS_CERT is: set both, or neither"},
		{"key of another certificate", []string{url, "HOOKTAIL_NATS_CERT=" + a.certificate, "HOOKTAIL_NATS_KEY=" + b.key}, "HOOKTAIL_NATS_KEY=*** is not the private key of HOOKTAIL_NATS_CERT: use a private key in PEM, not encrypted"},
		{"file that is missing", []string{url, "HOOKTAIL_NATS_CREDS_FILE=/nowhere.creds"}, "HOOKTAIL_NATS_CREDS_FILE: read /nowhere.creds: no such file or directory"},
		{"credentials that are a path", []string{url, "HOOKTAIL_NATS_CREDS=/etc/user.creds"}, "HOOKTAIL_NATS_CREDS=*** is a path: use the variable whose name ends in _FILE"},
		{"credentials without a JWT", []string{url, "HOOKTAIL_NATS_CREDS=secret"}, "HOOKTAIL_NATS_CREDS=*** has no JWT: " + file},
		{"credentials without a seed", []string{url, "HOOKTAIL_NATS_CREDS=a.b.c\n"}, "HOOKTAIL_NATS_CREDS=*** has no seed of a user: " + file},
		{"credentials of an account", []string{url, "HOOKTAIL_NATS_CREDS=" + credsOf("a.b.c", account)}, "HOOKTAIL_NATS_CREDS=*** has no seed of a user: " + file},
		{"seed that is none", []string{url, "HOOKTAIL_NATS_NKEY=secret"}, "HOOKTAIL_NATS_NKEY=*** is not a seed: " + seed},
		{"seed with a mistake", []string{url, "HOOKTAIL_NATS_NKEY=" + user[:len(user)-1]}, "HOOKTAIL_NATS_NKEY=*** is not a seed: " + seed},
		{"seed of an account", []string{url, "HOOKTAIL_NATS_NKEY=" + account}, "HOOKTAIL_NATS_NKEY=*** is not the seed of a user: " + seed},
		{"both", []string{url, "HOOKTAIL_NATS_CREDS=" + creds, "HOOKTAIL_NATS_NKEY=" + user}, "HOOKTAIL_NATS_NKEY=*** is set together with HOOKTAIL_NATS_CREDS: set one of them"},
		{"seed and a user", []string{"HOOKTAIL_NATS_URL=nats://a,nats://u:p@b", "HOOKTAIL_NATS_NKEY=" + user}, "HOOKTAIL_NATS_NKEY=*** is set together with a user in HOOKTAIL_NATS_URL: set one of them"},
		{"credentials and a user", []string{"HOOKTAIL_NATS_URL=nats://u:p@b", "HOOKTAIL_NATS_CREDS=" + creds}, "HOOKTAIL_NATS_CREDS=*** is set together with a user in HOOKTAIL_NATS_URL: set one of them"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Load(append([]string{database}, tt.in...))
			_, invalid := errors.AsType[*config.ValueError](err)
			_, unread := errors.AsType[*config.FileError](err)
			if !invalid && !unread || err.Error() != tt.want {
				t.Errorf("Load error = %v, want %s", err, tt.want)
			}
			if strings.Contains(err.Error(), user) || strings.Contains(err.Error(), account) {
				t.Error("the error shows the seed")
			}
		})
	}
}
