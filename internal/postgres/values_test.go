package postgres_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/internal/postgres"
)

// TestBadValuesAreNamed: whichever parameter has a value that cannot be used, in a string
// of either form, in a service file or in the environment, it is named with what can be
// used, and no value is shown.
func TestBadValuesAreNamed(t *testing.T) {
	alone(t)
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.pem")
	services := filepath.Join(dir, "services")
	for path, text := range map[string]string{empty: "", services: "[bad]\nhost=h\nsslmode=hunter2\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ name, value, use string }{
		{"port", "hunter2", "1 to 65535"},
		{"port", "0", "1 to 65535"},
		{"port", "1,2,3", "one for each host"},
		{"connect_timeout", "hunter2", "seconds"},
		{"connect_timeout", "-1", "seconds"},
		{"connect_timeout", "99999999999", "seconds"},
		{"target_session_attrs", "hunter2", "read-write"},
		{"target_session_attrs", "standby", "primary"},
		{"target_session_attrs", "prefer-standby", "primary"},
		{"target_session_attrs", "read-only", "primary"},
		{"sslmode", "hunter2", "verify-full"},
		{"sslnegotiation", "hunter2", "direct"},
		{"sslcertmode", "hunter2", "require"},
		{"sslrootcert", "/nowhere/ca.pem", "read /nowhere/ca.pem: no such file"},
		{"sslrootcert", empty, "PEM"},
		{"sslcert", "/nowhere/cert.pem", "both of them"},
		{"sslkey", "/nowhere/key.pem", "both of them"},
		{"min_protocol_version", "hunter2", "3.2"},
		{"max_protocol_version", "hunter2", "3.2"},
		{"channel_binding", "hunter2", "prefer"},
		{"require_auth", "hunter2", "scram-sha-256"},
		{"service", "hunter2", "servicefile"},
	} {
		for _, url := range []string{
			"host=h user=u password=secret1 " + test.name + "='" + test.value + "'",
			"postgres://u:secret1@h/d?" + test.name + "=" + test.value,
			"postgres://u:secret1@h/d?application_name=x&" + test.name + "=" + test.value + "&krbsrvname=y",
		} {
			err := postgres.Check(url)
			bad, ok := errors.AsType[*postgres.ValueError](err)
			if !ok || len(bad.Values) != 1 || !strings.Contains(bad.Values[0].Name, test.name) || !strings.Contains(bad.Error(), test.use) {
				t.Errorf("%s: %v, want %s named, and %q", url, err, test.name, test.use)
			}
			if ok && (strings.Contains(bad.Error(), "hunter2") || strings.Contains(bad.Error(), "secret1")) {
				t.Errorf("%s is shown: %v", url, err)
			}
		}
	}
	for _, test := range []struct{ url, want string }{
		{"host=h sslmode=x port=y channel_binding=z target_session_attrs=standby", "port target_session_attrs sslmode channel_binding"},
		{"postgres://u:p@h:y/d", "port"},
		{"host=h,i port=1,2,3", "port"},
		{"host=h sslcert=/nowhere/cert.pem sslkey=/nowhere/key.pem", "sslcert and sslkey"},
		{"host=h min_protocol_version=3.2 max_protocol_version=3.0", "max_protocol_version"},
		{"service=bad servicefile=" + services, "sslmode"},
		{"service=other servicefile=" + services, "service"},
		{"service=bad servicefile=/nowhere/services", "service"},
	} {
		bad, ok := errors.AsType[*postgres.ValueError](postgres.Check(test.url))
		var names []string
		if ok {
			for _, v := range bad.Values {
				names = append(names, v.Name)
			}
		}
		if got := strings.Join(names, " "); got != test.want {
			t.Errorf("%s: the names %q, want %q", test.url, got, test.want)
		}
	}
	t.Setenv("PGSSLMODE", "hunter2")
	if bad, ok := errors.AsType[*postgres.ValueError](postgres.Check("host=h")); !ok || bad.Values[0].Name != "sslmode" {
		t.Errorf("a bad PGSSLMODE: %v", bad)
	}
}

// TestMalformedStringsNameNoParameter: where the string itself cannot be read, no value
// of it is blamed.
func TestMalformedStringsNameNoParameter(t *testing.T) {
	alone(t)
	for _, url := range []string{"labelstudio", "host=h password='x", "postgres://[::1/d", "postgres://u:%zz@h/d", "host=h sslmode=bogus x"} {
		err := postgres.Check(url)
		if _, ok := errors.AsType[*postgres.ValueError](err); err == nil || ok {
			t.Errorf("%s: %v", url, err)
		}
	}
}
