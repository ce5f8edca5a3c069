package config_test

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	compare "github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/config"
)

// TestValuesAsToolsLeaveThem: the final newline of a Secret that was made of a file is not
// part of any value, and quotation marks that no shell has removed are named.
func TestValuesAsToolsLeaveThem(t *testing.T) {
	t.Parallel()
	values := map[string]string{ // of the variables without a default
		"HOOKTAIL_DATABASE_URL": "postgres://u:p@h/d", "HOOKTAIL_SECRET_KEY": hexKey, "HOOKTAIL_PROXY": "http://proxy:3128",
		"HOOKTAIL_ADMIN_TOKEN": "sixteen~letters!", "HOOKTAIL_HTTP_HOSTS": "hooktail.example.com", "HOOKTAIL_NATS_URL": "nats://a:4222",
	}
	for _, v := range config.Variables() {
		value := cmp.Or(values[v.Name], v.Default)
		if value == "" {
			continue // a certificate, key or credentials file
		}
		want, err := config.Load([]string{database, v.Name + "=" + value})
		if err != nil {
			t.Fatal(err)
		}
		for _, newline := range []string{"\n", "\r\n"} {
			got, err := config.Load([]string{database, v.Name + "=" + value + newline})
			if err != nil {
				t.Errorf("with a newline: %v", err)
			} else if diff := compare.Diff(want, got); diff != "" {
				t.Errorf("%s with a newline (-want +got):\n%s", v.Name, diff)
			}
		}
		for _, mark := range []string{`"`, "'"} {
			_, err := config.Load([]string{database, v.Name + "=" + mark + value + mark})
			fault, ok := errors.AsType[*config.ValueError](err)
			if !ok || fault.Variable != v.Name || fault.Problem != "is in quotation marks: remove them" {
				t.Errorf("%s in quotation marks: %v", v.Name, err)
			}
		}
	}
}

// TestBlankValues: blanks alone are no value of any variable, nor of its file.
func TestBlankValues(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "blank")
	if err := os.WriteFile(file, []byte(" \t\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, v := range config.Variables() {
		for _, given := range []string{v.Name + "= ", v.Name + "_FILE=" + file} {
			environ := []string{given}
			if !v.Required {
				environ = append(environ, database)
			}
			_, err := config.Load(environ)
			fault, ok := errors.AsType[*config.ValueError](err)
			if !ok || fault.Variable != v.Name || !strings.HasPrefix(fault.Problem, "is blank") {
				t.Errorf("%q: %v", given, err)
			}
		}
	}
}
