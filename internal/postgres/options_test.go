package postgres_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/internal/postgres"
)

// alone takes away what the environment of whoever runs the tests says.
func alone(t *testing.T) {
	t.Helper()
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "PG") {
			t.Setenv(name, "")
		}
	}
}

// TestParameters: those of the connection are taken, in both forms of the string and in a
// service file; a setting of the server, pgx or its pool is named.
func TestParameters(t *testing.T) {
	alone(t)
	services := filepath.Join(t.TempDir(), "services")
	text := "[good]\nhost=h\nuser=u\n[bad]\nhost=h\nstatement_timeout=1\n"
	if err := os.WriteFile(services, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		url  string
		want string // names of parameters that are not taken
	}{
		{"postgres://u:p@h:1/d", ""},
		{"postgresql://u@h,i:2/d?target_session_attrs=read-write&connect_timeout=5&application_name=x&sslmode=disable", ""},
		{"host=h user=u password='a b' dbname=d channel_binding=disable sslnegotiation=postgres require_auth=scram-sha-256", ""},
		{"postgres://u@h/d?ssl=true", ""},
		{"postgres://u@h/d?role=owner", ""},
		{"postgres://u@h/d?min_protocol_version=3.0&max_protocol_version=3.2&krbsrvname=postgres&fallback_application_name=y", ""},
		{"service=good servicefile=" + services, ""},
		{"service=bad servicefile=" + services, "statement_timeout"},
		{"postgres://u@h/d?default_query_exec_mode=simple_protocol", "default_query_exec_mode"},
		{"host=h default_query_exec_mode=nonsense", "default_query_exec_mode"},
		{"postgres://u@h/d?statement_cache_capacity=0&description_cache_capacity=0", "description_cache_capacity, statement_cache_capacity"},
		{"postgres://u@h/d?pool_max_conns=4&pool_min_conns=x", "pool_max_conns, pool_min_conns"},
		{"host=h replication=database", "replication"},
		{"postgres://u@h/d?options=-c%20statement_timeout%3D1", "options"},
		{"postgres://u@h/d?search_path=evil&client_encoding=LATIN1", "client_encoding, search_path"},
		{"host=h keepalives_idle=30 gssencmode=disable no_such_key=1", "gssencmode, keepalives_idle, no_such_key"},
		{"postgres://u@h/d?password=a%26b&hunter2=x&=y", "***"},
	} {
		err := postgres.Check(test.url)
		refused, _ := errors.AsType[*postgres.ParameterError](err)
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: %v", test.url, err)
			}
			continue
		}
		if refused == nil || strings.Join(refused.Names, ", ") != test.want {
			t.Errorf("%s: %v, want the names %s", test.url, err, test.want)
		}
	}
}

// TestEnvironmentSetsNoSession: what the environment says for all programs is no fault, and
// no session has it.
func TestEnvironmentSetsNoSession(t *testing.T) {
	alone(t)
	plain, err := postgres.Ordinary("host=h user=u")
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"PGOPTIONS": "-c statement_timeout=1", "PGTZ": "Pacific/Chatham", "PGAPPNAME": "psql", "PGCLIENTENCODING": "LATIN1", "PGDATESTYLE": "German"} {
		t.Setenv(name, value)
	}
	ordinary, err := postgres.Ordinary("host=h user=u")
	if err != nil {
		t.Fatal(err)
	}
	replication, err := postgres.Replication("host=h user=u")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plain.RuntimeParams, ordinary.RuntimeParams); diff != "" {
		t.Errorf("settings of an ordinary session (-plain +with the environment):\n%s", diff)
	}
	if diff := cmp.Diff(plain.RuntimeParams, replication.RuntimeParams); diff != "" {
		t.Errorf("settings of a session for replication (-plain +with the environment):\n%s", diff)
	}
	if _, there := replication.RuntimeParams["options"]; there {
		t.Error("options are passed on")
	}
}

// TestRoleIsKept: both kinds of session ask for the role of the connection string.
func TestRoleIsKept(t *testing.T) {
	alone(t)
	for url, want := range map[string]string{"host=h user=u role='The Owner'": "The Owner", "postgres://u@h/d?role=o": "o", "host=h": "", "host=h role=": ""} {
		ordinary, err := postgres.Ordinary(url)
		if err != nil {
			t.Fatal(err)
		}
		replication, err := postgres.Replication(url)
		if err != nil {
			t.Fatal(err)
		}
		for kind, params := range map[string]map[string]string{"ordinary": ordinary.RuntimeParams, "replication": replication.RuntimeParams} {
			if got, there := params[postgres.Role]; got != want || there != (want != "") {
				t.Errorf("%s: the %s session has the role %q, %t", url, kind, got, there)
			}
		}
	}
}

// TestConnectTimeout: there always is one, and the one that is given counts.
func TestConnectTimeout(t *testing.T) {
	alone(t)
	for url, want := range map[string]time.Duration{"host=h": 10 * time.Second, "host=h connect_timeout=60": time.Minute, "postgres://h/d?connect_timeout=3": 3 * time.Second} {
		options, err := postgres.Ordinary(url)
		if err != nil || options.ConnectTimeout != want {
			t.Errorf("%s: %s, %v, want %s", url, options.ConnectTimeout, err, want)
		}
	}
}
