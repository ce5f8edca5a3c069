//go:build long

package main

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/config"
)

// TestNoSecretInFaultsOfTheConfiguration: no command quotes a secret that it cannot
// use, from the environment or from a file, nor the database's address.
func TestNoSecretInFaultsOfTheConfiguration(t *testing.T) {
	t.Parallel()
	good := "HOOKTAIL_DATABASE_URL=postgres://user:" + mark + "@127.0.0.1:1/db"
	environments := map[string][]string{
		"nobody listens":    {good},
		"no port":           {"HOOKTAIL_DATABASE_URL=postgres://user:" + mark + "@host:" + mark + "/db"},
		"no host":           {"HOOKTAIL_DATABASE_URL=postgres://user:" + mark + "@[::1/db"},
		"no scheme":         {"HOOKTAIL_DATABASE_URL=user:" + mark + "@host/db"},
		"another scheme":    {"HOOKTAIL_DATABASE_URL=mysql://user:" + mark + "@host/db"},
		"unknown sslmode":   {good + "?sslmode=" + mark},
		"unknown parameter": {good + "?connect_timeout=" + mark},
		"missing key file":  {good + "?sslkey=/nowhere&sslcert=/nowhere&sslpassword=" + mark},
		"open quote":        {"HOOKTAIL_DATABASE_URL=host=h user=u password='" + mark},
		"no value":          {"HOOKTAIL_DATABASE_URL=password=" + mark + " host"},
		"escape":            {"HOOKTAIL_DATABASE_URL=postgres://user:%zz" + mark + "@host/db"},
		"proxy with a path": {good, "HOOKTAIL_PROXY=http://user:" + mark + "@host/path?" + mark},
		"proxy's port":      {good, "HOOKTAIL_PROXY=http://user:" + mark + "@host:port"},
		"proxy's scheme":    {good, "HOOKTAIL_PROXY=ftp://user:" + mark + "@host"},
		"private key": {
			good, "HOOKTAIL_TLS_CERT=-----BEGIN CERTIFICATE-----\n" + mark + "\n-----END CERTIFICATE-----",
			"HOOKTAIL_TLS_KEY=-----BEGIN PRIVATE KEY-----\n" + mark + "\n-----END PRIVATE KEY-----",
		},
	}
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(mark+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for field := range reflect.TypeFor[config.Config]().Fields() {
		if name := "HOOKTAIL_" + field.Tag.Get("envconfig"); field.Type == reflect.TypeFor[config.Secret]() {
			environments[name] = []string{good, name + "=" + mark}
			environments[name+"_FILE"] = slices.DeleteFunc([]string{good, name + "_FILE=" + file}, func(variable string) bool {
				return strings.HasPrefix(variable, name+"=")
			})
		}
	}
	for name, environ := range environments {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := outputs{}
			all.commands(t, append(environ, "HOOKTAIL_HTTP_ADDR=127.0.0.1:0", "HOOKTAIL_LOG_LEVEL=debug"))
			all.hold(t)
			if text := all["run"]; text == "" {
				t.Error("hooktail run says nothing")
			}
		})
	}
}

// TestNoSecretInLogsOrErrorsAsJSON is TestNoSecretInLogsOrErrors with the other format of the log.
func TestNoSecretInLogsOrErrorsAsJSON(t *testing.T) {
	t.Parallel()
	testNoSecret(t, "json")
}
