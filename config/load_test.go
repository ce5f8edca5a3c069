package config_test

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/config"
)

const database = "HOOKTAIL_DATABASE_URL=postgres://hooktail@localhost/labelstudio"

func defaults() config.Config {
	return config.Config{
		DatabaseURL:        config.NewSecret("postgres://hooktail@localhost/labelstudio"),
		Slot:               "hooktail",
		Publication:        "hooktail",
		StateSchema:        "hooktail",
		SourceSchema:       "public",
		ProjectTable:       "project",
		TaskTable:          "task",
		AnnotationTable:    "task_completion",
		WebhookTable:       "webhook",
		WebhookActionTable: "webhook_action",
		Profile:            config.Guide,
		Settle:             time.Second,
		Deleted:            config.DeletedID,
		Deliver:            config.DeliverBoth,
		AdoptOverlap:       10 * time.Second,
		Timeout:            time.Second,
		RetryFor:           72 * time.Hour,
		HookConcurrency:    8,
		Concurrency:        256,
		Egress:             "internal",
		Role:               config.RoleBoth,
		NATSSync:           config.Sync(2 * time.Minute),
		NATSReplicas:       1,
		ParkMaxBytes:       config.GiB,
		DeadRetention:      720 * time.Hour,
		Memory:             64 * config.MiB,
		Grace:              10 * time.Second,
		HTTPAddr:           "127.0.0.1:8484",
		LogLevel:           slog.LevelInfo,
		LogFormat:          config.LogText,
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   []string
		want func(*config.Config)
	}{
		{"defaults", nil, func(*config.Config) {}},
		{"empty counts as not set", []string{"HOOKTAIL_SLOT="}, func(*config.Config) {}},
		{"the last of two counts", []string{"HOOKTAIL_SLOT=a", "HOOKTAIL_SLOT=b"}, func(c *config.Config) { c.Slot = "b" }},
		{"other programs' variables", []string{"TIMEOUT=never", "SLOT=X", "hooktail_slot=y", "HOOKTAILS=z"}, func(*config.Config) {}},
		{
			"DSN",
			[]string{"HOOKTAIL_DATABASE_URL=host=/run/postgresql password=a=b user=u"},
			func(c *config.Config) {
				c.DatabaseURL = config.NewSecret("host=/run/postgresql password=a=b user=u")
			},
		},
		{"slot", []string{"HOOKTAIL_SLOT=a_1"}, func(c *config.Config) { c.Slot = "a_1" }},
		{"publication", []string{"HOOKTAIL_PUBLICATION=Mine"}, func(c *config.Config) { c.Publication = "Mine" }},
		{"state schema", []string{"HOOKTAIL_STATE_SCHEMA=Hook tail"}, func(c *config.Config) { c.StateSchema = "Hook tail" }},
		{
			"tables",
			[]string{
				"HOOKTAIL_SOURCE_SCHEMA=ls", "HOOKTAIL_PROJECT_TABLE=p", "HOOKTAIL_TASK_TABLE=t",
				"HOOKTAIL_ANNOTATION_TABLE=a", "HOOKTAIL_WEBHOOK_TABLE=w", "HOOKTAIL_WEBHOOK_ACTION_TABLE=wa",
			},
			func(c *config.Config) {
				c.SourceSchema, c.ProjectTable, c.TaskTable = "ls", "p", "t"
				c.AnnotationTable, c.WebhookTable, c.WebhookActionTable = "a", "w", "wa"
			},
		},
		{"native", []string{"HOOKTAIL_PROFILE=native"}, func(c *config.Config) { c.Profile = config.Native }},
		{"settle at once", []string{"HOOKTAIL_SETTLE=0"}, func(c *config.Config) { c.Settle = 0 }},
		{"settle at most", []string{"HOOKTAIL_SETTLE=1m"}, func(c *config.Config) { c.Settle = time.Minute }},
		{"secrets sent", []string{"HOOKTAIL_SEND_SECRETS=true"}, func(c *config.Config) { c.SendSecrets = true }},
		{"deleted row", []string{"HOOKTAIL_DELETED=row"}, func(c *config.Config) { c.Deleted = config.DeletedRow }},
		{"adopted", []string{"HOOKTAIL_DELIVER=adopted"}, func(c *config.Config) { c.Deliver = config.DeliverAdopted }},
		{"overlap", []string{"HOOKTAIL_ADOPT_OVERLAP=1m"}, func(c *config.Config) { c.AdoptOverlap = time.Minute }},
		{"no overlap", []string{"HOOKTAIL_ADOPT_OVERLAP=0"}, func(c *config.Config) { c.AdoptOverlap = 0 }},
		{"timeout", []string{"HOOKTAIL_TIMEOUT=1500ms"}, func(c *config.Config) { c.Timeout = 1500 * time.Millisecond }},
		{"attempts", []string{"HOOKTAIL_MAX_ATTEMPTS=1"}, func(c *config.Config) { c.MaxAttempts = 1 }},
		{"retry for", []string{"HOOKTAIL_RETRY_FOR=1h30m"}, func(c *config.Config) { c.RetryFor = 90 * time.Minute }},
		{"concurrency at least", []string{"HOOKTAIL_HOOK_CONCURRENCY=1"}, func(c *config.Config) { c.HookConcurrency = 1 }},
		{"all concurrency at least", []string{"HOOKTAIL_CONCURRENCY=1"}, func(c *config.Config) { c.Concurrency = 1 }},
		{"all concurrency at most", []string{"HOOKTAIL_CONCURRENCY=10000"}, func(c *config.Config) { c.Concurrency = 10000 }},
		{"concurrency at most", []string{"HOOKTAIL_HOOK_CONCURRENCY=1000"}, func(c *config.Config) { c.HookConcurrency = 1000 }},
		{"public", []string{"HOOKTAIL_EGRESS=public"}, func(c *config.Config) { c.Egress = "public" }},
		{
			"networks",
			[]string{"HOOKTAIL_EGRESS=10.1.2.3/8, fd00::/8"},
			func(c *config.Config) {
				c.Egress = "10.0.0.0/8,fd00::/8"
			},
		},
		{"parking at least", []string{"HOOKTAIL_PARK_MAX_BYTES=1MiB"}, func(c *config.Config) { c.ParkMaxBytes = config.MiB }},
		{"retention at least", []string{"HOOKTAIL_DEAD_RETENTION=60m"}, func(c *config.Config) { c.DeadRetention = time.Hour }},
		{"admin token", []string{"HOOKTAIL_ADMIN_TOKEN=sixteen~letters!"}, func(c *config.Config) { c.AdminToken = config.NewSecret("sixteen~letters!") }},
		{"secret key", []string{"HOOKTAIL_SECRET_KEY=" + hexKey}, func(c *config.Config) { c.SecretKey = config.NewSecret(hexKey) }},
		{"proxy", []string{"HOOKTAIL_PROXY=http://u:p@proxy:3128/"}, func(c *config.Config) { c.Proxy = config.NewSecret("http://u:p@proxy:3128/") }},
		{"proxy of TLS", []string{"HOOKTAIL_PROXY=https://[::1]"}, func(c *config.Config) { c.Proxy = config.NewSecret("https://[::1]") }},
		{"proxy as usual", []string{"HOOKTAIL_PROXY=environment"}, func(c *config.Config) { c.Proxy = config.NewSecret("environment") }},
		{"memory at least", []string{"HOOKTAIL_MEMORY=16MiB"}, func(c *config.Config) { c.Memory = 16 * config.MiB }},
		{"no grace", []string{"HOOKTAIL_GRACE=0s"}, func(c *config.Config) { c.Grace = 0 }},
		{"every address", []string{"HOOKTAIL_HTTP_ADDR=:0"}, func(c *config.Config) { c.HTTPAddr = ":0" }},
		{"IPv6", []string{"HOOKTAIL_HTTP_ADDR=[::1]:65535"}, func(c *config.Config) { c.HTTPAddr = "[::1]:65535" }},
		{"hosts", []string{"HOOKTAIL_HTTP_HOSTS=hooktail.example.com,hooktail,10.0.0.7,fd00::7"}, func(c *config.Config) {
			c.HTTPHosts = []string{"hooktail.example.com", "hooktail", "10.0.0.7", "fd00::7"}
		}},
		{"no server", []string{"HOOKTAIL_HTTP_ADDR=off"}, func(c *config.Config) { c.HTTPAddr = "" }},
		{"log level", []string{"HOOKTAIL_LOG_LEVEL=debug"}, func(c *config.Config) { c.LogLevel = slog.LevelDebug }},
		{"NATS", []string{"HOOKTAIL_NATS_URL=nats://a:4222,tls://b", "HOOKTAIL_ROLE=sender", "HOOKTAIL_NATS_SYNC=always", "HOOKTAIL_NATS_REPLICAS=3", "HOOKTAIL_KEEP=48h", "HOOKTAIL_TOPIC=true"}, func(c *config.Config) {
			c.NATSURL, c.Role, c.NATSSync, c.NATSReplicas = config.NewSecret("nats://a:4222,tls://b"), config.RoleSender, 0, 3
			c.Keep, c.Topic = 48*time.Hour, true
		}},
		{"log format", []string{"HOOKTAIL_LOG_FORMAT=json"}, func(c *config.Config) { c.LogFormat = config.LogJSON }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := defaults()
			tt.want(&want)
			got, err := config.Load(append([]string{database}, tt.in...))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Load (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	const slot = "use 1 to 63 lower-case letters, digits and underscores"
	const name = "use a name of 1 to 63 bytes"
	const key = "use 32 bytes in base64 or hex; former keys may follow, separated by commas"
	const token = "use 16 to 1024 visible ASCII characters"
	const hosts = "use names or addresses without a port, separated by commas"
	const proxy = "use an http:// or https:// URL without a path, or environment"
	const keyPEM = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"
	const brokenPEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
	long := strings.Repeat("a", 64)
	tests := []struct {
		name string
		in   string
		want string
	}{
		{"no database", "HOOKTAIL_DATABASE_URL=", `HOOKTAIL_DATABASE_URL is not set: use a postgres:// URL, or a DSN of key=value pairs`},
		{"no DSN", "HOOKTAIL_DATABASE_URL=labelstudio", `HOOKTAIL_DATABASE_URL=*** cannot be parsed: use a postgres:// URL, or a DSN of key=value pairs`},
		{"parameter of pgx", "HOOKTAIL_DATABASE_URL=postgres://u:p@h/d?default_query_exec_mode=simple_protocol", `HOOKTAIL_DATABASE_URL=*** has the parameter default_query_exec_mode, which hooktail does not accept`},
		{"settings", "HOOKTAIL_DATABASE_URL=host=h statement_timeout=1 options=-cx=y", `HOOKTAIL_DATABASE_URL=*** has the parameters options, statement_timeout, which hooktail does not accept`},
		{"password with / and @", "HOOKTAIL_DATABASE_URL=postgres://u:p@ss/w@h/d", `HOOKTAIL_DATABASE_URL=*** cannot be parsed: percent-encode special characters of the password (@ is %40, / is %2F, # is %23)`},
		{"blank before the URL", "HOOKTAIL_DATABASE_URL= postgres://u:p@h/d", `HOOKTAIL_DATABASE_URL=*** begins or ends with a blank or a line break: remove it`},
		{"blank after the URL", "HOOKTAIL_DATABASE_URL=postgres://u:p@h/d ", `HOOKTAIL_DATABASE_URL=*** begins or ends with a blank or a line break: remove it`},
		{"two line breaks after the URL", "HOOKTAIL_DATABASE_URL=postgres://u:p@h/d\n\n", `HOOKTAIL_DATABASE_URL=*** begins or ends with a blank or a line break: remove it`},
		{"other scheme", "HOOKTAIL_DATABASE_URL=mysql://u:p@h/d", `HOOKTAIL_DATABASE_URL=*** has another URL scheme: use a postgres:// URL, or a DSN of key=value pairs`},
		{"no certificate", "HOOKTAIL_DATABASE_URL=postgres://h/d?sslmode=verify-ca&sslrootcert=/nowhere/ca.pem", `HOOKTAIL_DATABASE_URL=*** has an invalid sslrootcert: use a file with certificates in PEM, or system (read /nowhere/ca.pem: no such file or directory)`},
		{"port of a word", "HOOKTAIL_DATABASE_URL=postgres://u:p@h:x/d", `HOOKTAIL_DATABASE_URL=*** has an invalid port: use a number from 1 to 65535, or one for each host`},
		{"two bad values", "HOOKTAIL_DATABASE_URL=host=h connect_timeout=abc sslmode=bogus", `HOOKTAIL_DATABASE_URL=*** has an invalid connect_timeout: use a whole number of seconds, up to a day; has an invalid sslmode: use disable, allow, prefer, require, verify-ca or verify-full`},
		{"slot in capitals", "HOOKTAIL_SLOT=Hook", `HOOKTAIL_SLOT="Hook" contains the character 'H': ` + slot},
		{"slot too long", "HOOKTAIL_SLOT=" + long, `HOOKTAIL_SLOT="` + long + `" is too long: ` + slot},
		{"publication too long", "HOOKTAIL_PUBLICATION=" + long, `HOOKTAIL_PUBLICATION="` + long + `" is too long: ` + name},
		{"schema of two lines", "HOOKTAIL_SOURCE_SCHEMA=a\nb", `HOOKTAIL_SOURCE_SCHEMA="a\nb" contains a control character, or is not UTF-8: ` + name},
		{"state schema too long", "HOOKTAIL_STATE_SCHEMA=" + long, `HOOKTAIL_STATE_SCHEMA="` + long + `" is too long: ` + name},
		{"table not of UTF-8", "HOOKTAIL_TASK_TABLE=\xff", `HOOKTAIL_TASK_TABLE="\xff" contains a control character, or is not UTF-8: ` + name},
		{"profile", "HOOKTAIL_PROFILE=Guide", `HOOKTAIL_PROFILE="Guide" is invalid: use guide or native`},
		{"settle below", "HOOKTAIL_SETTLE=-1ns", `HOOKTAIL_SETTLE="-1ns" is too small: use a duration from 0 to 1m`},
		{"settle above", "HOOKTAIL_SETTLE=60001ms", `HOOKTAIL_SETTLE="60001ms" is too large: use a duration from 0 to 1m`},
		{"settle without a unit", "HOOKTAIL_SETTLE=250", `HOOKTAIL_SETTLE="250" needs a unit, for example 2s or 500ms`},
		{"secrets perhaps", "HOOKTAIL_SEND_SECRETS=perhaps", `HOOKTAIL_SEND_SECRETS="perhaps" is invalid: use true or false`},
		{"deleted", "HOOKTAIL_DELETED=all", `HOOKTAIL_DELETED="all" is invalid: use id or row`},
		{"overlap", "HOOKTAIL_ADOPT_OVERLAP=11m", `HOOKTAIL_ADOPT_OVERLAP="11m" is too large: use a duration from 0 to 10m`},
		{"deliver", "HOOKTAIL_DELIVER=all", `HOOKTAIL_DELIVER="all" is invalid: use active, adopted or both`},
		{"no timeout", "HOOKTAIL_TIMEOUT=0", `HOOKTAIL_TIMEOUT="0" is too small: use a duration above 0`},
		{"attempts below", "HOOKTAIL_MAX_ATTEMPTS=-1", `HOOKTAIL_MAX_ATTEMPTS="-1" is too small: use a whole number from 0`},
		{"attempts in words", "HOOKTAIL_MAX_ATTEMPTS=three", `HOOKTAIL_MAX_ATTEMPTS="three" is not a whole number: use a whole number from 0`},
		{"no retries", "HOOKTAIL_RETRY_FOR=0s", `HOOKTAIL_RETRY_FOR="0s" is too small: use a duration above 0`},
		{"no concurrency at all", "HOOKTAIL_CONCURRENCY=0", `HOOKTAIL_CONCURRENCY="0" is too small: use a whole number from 1 to 10000`},
		{"no concurrency", "HOOKTAIL_HOOK_CONCURRENCY=0", `HOOKTAIL_HOOK_CONCURRENCY="0" is too small: use a whole number from 1 to 1000`},
		{"concurrency above", "HOOKTAIL_HOOK_CONCURRENCY=1001", `HOOKTAIL_HOOK_CONCURRENCY="1001" is too large: use a whole number from 1 to 1000`},
		{"egress", "HOOKTAIL_EGRESS=10.0.0.0/8,10.1.1.1", `HOOKTAIL_EGRESS="10.0.0.0/8,10.1.1.1" has an invalid entry 2: use internal, public, or CIDRs separated by commas`},
		{"parking below", "HOOKTAIL_PARK_MAX_BYTES=1023KiB", `HOOKTAIL_PARK_MAX_BYTES="1023KiB" is too small: use a number of bytes from 1MiB, alone or with the unit KiB, MiB, GiB, kB, MB or GB`},
		{"retention below", "HOOKTAIL_DEAD_RETENTION=59m", `HOOKTAIL_DEAD_RETENTION="59m" is too small: use a duration of at least 1h`},
		{"host with a port", "HOOKTAIL_HTTP_HOSTS=hooktail,hooktail:8484", `HOOKTAIL_HTTP_HOSTS="hooktail,hooktail:8484" has an invalid entry 2: ` + hosts},
		{"URL for a host", "HOOKTAIL_HTTP_HOSTS=https://hooktail", `HOOKTAIL_HTTP_HOSTS=*** has an invalid entry 1: ` + hosts},
		{"every host", "HOOKTAIL_HTTP_HOSTS=*", `HOOKTAIL_HTTP_HOSTS="*" has an invalid entry 1: ` + hosts},
		{"empty host", "HOOKTAIL_HTTP_HOSTS=hooktail,", `HOOKTAIL_HTTP_HOSTS="hooktail," has an invalid entry 2: ` + hosts},
		{"token too short", "HOOKTAIL_ADMIN_TOKEN=fifteen-letters", "HOOKTAIL_ADMIN_TOKEN=*** is too short: " + token},
		{"token too long", "HOOKTAIL_ADMIN_TOKEN=" + strings.Repeat("a", 1025), "HOOKTAIL_ADMIN_TOKEN=*** is too long: " + token},
		{"token of words", "HOOKTAIL_ADMIN_TOKEN=correct horse battery", "HOOKTAIL_ADMIN_TOKEN=*** contains a space, or a character outside visible ASCII: " + token},
		{"token not of ASCII", "HOOKTAIL_ADMIN_TOKEN=sixteen-lettersé", "HOOKTAIL_ADMIN_TOKEN=*** contains a space, or a character outside visible ASCII: " + token},
		{"no secret key", "HOOKTAIL_SECRET_KEY=, ,", "HOOKTAIL_SECRET_KEY=*** has no key: " + key},
		{"secret key too short", "HOOKTAIL_SECRET_KEY=" + hexKey[2:], "HOOKTAIL_SECRET_KEY=*** has an invalid entry 1 (31 bytes, not 32): " + key},
		{"secret key too long", "HOOKTAIL_SECRET_KEY=" + hexKey + "00", "HOOKTAIL_SECRET_KEY=*** has an invalid entry 1 (33 bytes, not 32): " + key},
		{"former secret key in words", "HOOKTAIL_SECRET_KEY=" + hexKey + ", correct horse", "HOOKTAIL_SECRET_KEY=*** has an invalid entry 2 (neither base64 nor hex): " + key},
		{"authorities not in PEM", "HOOKTAIL_TLS_CA=/etc/ca.pem", "HOOKTAIL_TLS_CA=*** is a path: use the variable whose name ends in _FILE"},
		{"authorities not certificates", "HOOKTAIL_TLS_CA=" + keyPEM, "HOOKTAIL_TLS_CA=*** has an invalid entry 1 (not a certificate): use certificates in PEM"},
		{"authorities broken", "HOOKTAIL_TLS_CA=" + brokenPEM, "HOOKTAIL_TLS_CA=*** has an invalid entry 1 (a certificate that cannot be parsed): use certificates in PEM"},
		{"authorities cut off", "HOOKTAIL_TLS_CA=-----BEGIN CERTIFICATE-----\nAAAA", "HOOKTAIL_TLS_CA=*** has no PEM block: use certificates in PEM"},
		{"NATS URL of another scheme", "HOOKTAIL_NATS_URL=http://user:secret@a", "HOOKTAIL_NATS_URL=*** has another URL scheme: use nats:// or tls:// URLs of one cluster, separated by commas"},
		{"role without a log", "HOOKTAIL_ROLE=reader", `HOOKTAIL_ROLE="reader" needs HOOKTAIL_NATS_URL, which is not set`},
		{"sync interval", "HOOKTAIL_NATS_SYNC=0s", `HOOKTAIL_NATS_SYNC="0s" is too small: use a duration above 0, or always`},
		{"history without a log", "HOOKTAIL_KEEP=48h", `HOOKTAIL_KEEP="48h" needs HOOKTAIL_NATS_URL, which is not set`},
		{"topic without a server", "HOOKTAIL_TOPIC=true", `HOOKTAIL_TOPIC="true" needs HOOKTAIL_NATS_URL, which is not set`},
		{"replicas", "HOOKTAIL_NATS_REPLICAS=2", `HOOKTAIL_NATS_REPLICAS="2" is invalid: use 1, 3 or 5`},
		{"key alone", "HOOKTAIL_TLS_KEY=" + keyPEM, "HOOKTAIL_TLS_KEY=*** is set, but HOOKTAIL_TLS_CERT is not: set both, or neither"},
		{"proxy without a scheme", "HOOKTAIL_PROXY=proxy:3128", "HOOKTAIL_PROXY=*** has another URL scheme: " + proxy},
		{"proxy of SOCKS", "HOOKTAIL_PROXY=socks5://proxy", "HOOKTAIL_PROXY=*** has another URL scheme: " + proxy},
		{"proxy in a word", "HOOKTAIL_PROXY=Environment", "HOOKTAIL_PROXY=*** has another URL scheme: " + proxy},
		{"proxy without a host", "HOOKTAIL_PROXY=http://:3128", "HOOKTAIL_PROXY=*** has no host: " + proxy},
		{"proxy with a path", "HOOKTAIL_PROXY=http://proxy/pac", "HOOKTAIL_PROXY=*** has more than a scheme, a host and a port: " + proxy},
		{"proxy without a port", "HOOKTAIL_PROXY=http://proxy:0", "HOOKTAIL_PROXY=*** has no port from 1 to 65535: " + proxy},
		{"proxy broken", "HOOKTAIL_PROXY=http://u:p@[proxy", "HOOKTAIL_PROXY=*** cannot be parsed: " + proxy},
		{"memory below", "HOOKTAIL_MEMORY=16383KiB", `HOOKTAIL_MEMORY="16383KiB" is too small: use a number of bytes from 16MiB, alone or with the unit KiB, MiB, GiB, kB, MB or GB`},
		{"memory of another unit", "HOOKTAIL_MEMORY=64M", `HOOKTAIL_MEMORY="64M" is not a number of bytes: use a number of bytes from 16MiB, alone or with the unit KiB, MiB, GiB, kB, MB or GB`},
		{"grace below", "HOOKTAIL_GRACE=-1s", `HOOKTAIL_GRACE="-1s" is too small: use a duration from 0`},
		{"address without a port", "HOOKTAIL_HTTP_ADDR=localhost", `HOOKTAIL_HTTP_ADDR="localhost" is not host:port: use host:port with the port as a number, or off`},
		{"port alone", "HOOKTAIL_HTTP_ADDR=8484", `HOOKTAIL_HTTP_ADDR="8484" is a port without an address: use 127.0.0.1:8484 for this machine only, :8484 for all addresses, or off`},
		{"address with a service", "HOOKTAIL_HTTP_ADDR=localhost:http", `HOOKTAIL_HTTP_ADDR="localhost:http" has no port from 0 to 65535: use host:port with the port as a number, or off`},
		{"level", "HOOKTAIL_LOG_LEVEL=trace", `HOOKTAIL_LOG_LEVEL="trace" is invalid: use debug, info, warn or error`},
		{"level between", "HOOKTAIL_LOG_LEVEL=info+1", `HOOKTAIL_LOG_LEVEL="info+1" is invalid: use debug, info, warn or error`},
		{"format", "HOOKTAIL_LOG_FORMAT=xml", `HOOKTAIL_LOG_FORMAT="xml" is invalid: use text or json`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := config.Load([]string{database, tt.in})
			fault, ok := errors.AsType[*config.ValueError](err)
			if !ok {
				t.Fatalf("Load error = %v, want a ValueError", err)
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if want, _, _ := strings.Cut(tt.in, "="); fault.Variable != want {
				t.Errorf("Variable = %q, want %q", fault.Variable, want)
			}
			if diff := cmp.Diff(config.Config{}, c); diff != "" {
				t.Errorf("Config with the error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := config.Load([]string{
		"HOOKTAIL_SETTEL=1s",
		"HOOKTAIL_LOG_FORMAT=xml",
		"HOOKTAIL_SETTLE=soon",
		"HOOKTAIL_SLOT=a",
		"HOOKTAIL_SLOT_FILE=/nowhere/slot",
		"HOOKTAIL_GRACE_FILE=/nowhere/grace",
		"HOOKTAIL_COLOUR=",
	})
	want := strings.Join([]string{
		`HOOKTAIL_DATABASE_URL is not set: use a postgres:// URL, or a DSN of key=value pairs`,
		`HOOKTAIL_SLOT and HOOKTAIL_SLOT_FILE are both set: set one of them`,
		`HOOKTAIL_SETTLE="soon" is not a duration: use a duration from 0 to 1m`,
		`HOOKTAIL_GRACE_FILE: read /nowhere/grace: no such file or directory`,
		`HOOKTAIL_LOG_FORMAT="xml" is invalid: use text or json`,
		"HOOKTAIL_COLOUR is not a variable of hooktail: see `hooktail help environment`",
		`HOOKTAIL_SETTEL is not a variable of hooktail: did you mean HOOKTAIL_SETTLE?`,
	}, "\n")
	if err == nil {
		t.Fatal("Load returned no error")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

func TestUnknownVariableNamesTheNearest(t *testing.T) {
	t.Parallel()
	const none = "none"
	tests := []struct {
		name string
		in   string
		want string // empty: no error; none: an error that names no variable
	}{
		{"letters swapped", "HOOKTAIL_SETTEL=1s", "HOOKTAIL_SETTLE"},
		{"lower case", "HOOKTAIL_log_level=info", "HOOKTAIL_LOG_LEVEL"},
		{"file", "HOOKTAIL_DATABASE_URI_FILE=/x", "HOOKTAIL_DATABASE_URL_FILE"},
		{"abbreviated", "HOOKTAIL_DATABASE=x", "HOOKTAIL_DATABASE_URL"},
		{"letters missing", "HOOKTAIL_MAX_ATEMPS=1", "HOOKTAIL_MAX_ATTEMPTS"},
		{"of another program", "HOOKTAIL_PORT=8484", none},
		{"password", "HOOKTAIL_PASSWORD=x", none},
		{"prefix alone", "HOOKTAIL_=x", none},
		{"Kubernetes service host", "HOOKTAIL_SERVICE_HOST=10.0.0.1", ""},
		{"Kubernetes service port", "HOOKTAIL_SERVICE_PORT=8484", ""},
		{"Kubernetes named port", "HOOKTAIL_SERVICE_PORT_HTTP=8484", ""},
		{"Kubernetes link", "HOOKTAIL_PORT=tcp://10.0.0.1:8484", ""},
		{"Kubernetes link by port", "HOOKTAIL_METRICS_PORT_8484_TCP_ADDR=10.0.0.1", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Load([]string{database, tt.in})
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			name, _, _ := strings.Cut(tt.in, "=")
			want := name + " is not a variable of hooktail: see `hooktail help environment`"
			if tt.want != none {
				want = name + " is not a variable of hooktail: did you mean " + tt.want + "?"
			}
			if _, ok := errors.AsType[*config.ValueError](err); !ok || err.Error() != want {
				t.Errorf("Load error = %v, want the ValueError %s", err, want)
			}
		})
	}
}

func TestValueFromFile(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   string
		want string
	}{
		{"as it is", "a", "a"},
		{"newline", "a\n", "a"},
		{"newline of Windows", "a\r\n", "a"},
		{"byte order mark", "\ufeffa\r\n", "a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := config.Load([]string{database, "HOOKTAIL_SLOT_FILE=" + write(t, tt.in)})
			if err != nil {
				t.Fatal(err)
			}
			if c.Slot != tt.want {
				t.Errorf("Slot = %q, want %q", c.Slot, tt.want)
			}
		})
	}

	t.Run("one newline only", func(t *testing.T) {
		t.Parallel()
		_, err := config.Load([]string{database, "HOOKTAIL_SLOT_FILE=" + write(t, "a\n\n")})
		want := `HOOKTAIL_SLOT=*** contains the character '\n': use 1 to 63 lower-case letters, digits and underscores`
		if err == nil || err.Error() != want {
			t.Errorf("Load error = %v, want %s", err, want)
		}
	})
	t.Run("empty", func(t *testing.T) {
		t.Parallel()
		path := write(t, "\n")
		_, err := config.Load([]string{database, "HOOKTAIL_SLOT_FILE=" + path})
		want := "HOOKTAIL_SLOT_FILE: read " + path + ": file is empty"
		if err == nil || err.Error() != want {
			t.Errorf("Load error = %v, want %s", err, want)
		}
	})
	t.Run("missing", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "slot")
		_, err := config.Load([]string{database, "HOOKTAIL_SLOT_FILE=" + path})
		fault, ok := errors.AsType[*config.FileError](err)
		if !ok || !errors.Is(err, fs.ErrNotExist) || fault.Variable != "HOOKTAIL_SLOT_FILE" || fault.Path != path {
			t.Errorf("Load error = %v, want a FileError of HOOKTAIL_SLOT_FILE and %s that is fs.ErrNotExist", err, path)
		}
	})
	t.Run("both", func(t *testing.T) {
		t.Parallel()
		_, err := config.Load([]string{database, "HOOKTAIL_SLOT=a", "HOOKTAIL_SLOT_FILE=" + write(t, "a")})
		want := "HOOKTAIL_SLOT and HOOKTAIL_SLOT_FILE are both set: set one of them"
		if _, ok := errors.AsType[*config.ValueError](err); !ok || err.Error() != want {
			t.Errorf("Load error = %v, want the ValueError %s", err, want)
		}
	})
}

// write makes a file of the content and returns its path.
func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "value")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
