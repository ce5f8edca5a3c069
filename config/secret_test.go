package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/config"
)

const password = "hunter2hunter2"

func TestSecretReveal(t *testing.T) {
	t.Parallel()
	if got := config.NewSecret(password).Reveal(); got != password {
		t.Errorf("Reveal = %q, want %q", got, password)
	}
	if got := (config.Secret{}).Reveal(); got != "" {
		t.Errorf("Reveal of the zero Secret = %q, want nothing", got)
	}
	if !config.NewSecret(password).Equal(config.NewSecret(password)) {
		t.Error("secrets of the same text are not equal")
	}
	if config.NewSecret(password).Equal(config.NewSecret("other")) {
		t.Error("secrets of different texts are equal")
	}
}

func TestSecretString(t *testing.T) {
	t.Parallel()
	secret := config.NewSecret(password)
	text, err := secret.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, got string }{
		{"String", secret.String()},
		{"GoString", secret.GoString()},
		{"LogValue", secret.LogValue().String()},
		{"MarshalText", string(text)},
		{"%v", fmt.Sprintf("%v", secret)},
		{"%q of a pointer", fmt.Sprintf("%q", &secret)},
	}
	for _, tt := range tests {
		if tt.got != "***" {
			t.Errorf("%s = %q, want ***", tt.name, tt.got)
		}
	}
}

// TestSecretNeverPrints prints a Config in every way that there is, and the
// places where package fmt does not call methods.
func TestSecretNeverPrints(t *testing.T) {
	t.Parallel()
	c, err := config.Load([]string{"HOOKTAIL_DATABASE_URL=postgres://u:" + password + "@h/d", "HOOKTAIL_PROXY=http://u:" + password + "@proxy"})
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]any{
		"Config":           c,
		"*Config":          &c,
		"Secret":           c.DatabaseURL,
		"*Secret":          &c.DatabaseURL,
		"unexported field": struct{ c config.Config }{c},
		"slice":            []config.Secret{c.DatabaseURL},
		"map":              map[string]config.Secret{"k": c.DatabaseURL},
	}
	for name, value := range values {
		for _, out := range printed(t, value) {
			if leaks(out, password) {
				t.Errorf("%s prints its secret: %s", name, out)
			}
		}
	}
}

func TestErrorsShowNoSecret(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   []string
	}{
		{"URL that cannot be parsed", []string{"HOOKTAIL_DATABASE_URL=postgres://u:" + password + "@h:port/d"}},
		{"URL with a bad escape", []string{"HOOKTAIL_DATABASE_URL=postgres://u:%" + password + "@h/d"}},
		{"password as a port", []string{"HOOKTAIL_DATABASE_URL=postgres://u@h:" + password + "/d"}},
		{"DSN that cannot be parsed", []string{"HOOKTAIL_DATABASE_URL=password='" + password}},
		{"DSN with an unknown mode", []string{"HOOKTAIL_DATABASE_URL=host=h sslmode=" + password}},
		{"password alone", []string{"HOOKTAIL_DATABASE_URL=" + password}},
		{"both set", []string{"HOOKTAIL_DATABASE_URL=" + password, "HOOKTAIL_DATABASE_URL_FILE=/x"}},
		{"URL in place of a file", []string{"HOOKTAIL_DATABASE_URL_FILE=postgres://u:" + password + "@h/d"}},
		{"DSN in place of a file", []string{"HOOKTAIL_DATABASE_URL_FILE=password=" + password}},
		{"URL in another variable", []string{"HOOKTAIL_HTTP_ADDR=postgres://u:" + password + "@h/d"}},
		{"secret key", []string{"HOOKTAIL_SECRET_KEY=" + password}},
		{"admin token", []string{"HOOKTAIL_ADMIN_TOKEN=" + password + " "}},
		{"authorities", []string{"HOOKTAIL_TLS_CA=" + password}},
		{"certificate with its key", []string{"HOOKTAIL_TLS_CERT=-----BEGIN " + password + "-----\nAAAA\n-----END " + password + "-----"}},
		{"key without its certificate", []string{"HOOKTAIL_TLS_KEY=" + password}},
		{"proxy", []string{"HOOKTAIL_PROXY=socks5://u:" + password + "@proxy"}},
		{"proxy that cannot be parsed", []string{"HOOKTAIL_PROXY=http://u:" + password + "@[proxy"}},
		{"unknown variable", []string{"HOOKTAIL_PASSWORD=" + password}},
		{"wrong file", []string{"HOOKTAIL_SETTLE_FILE=" + write(t, password)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Load(tt.in)
			if err == nil {
				t.Fatal("Load returned no error")
			}
			for _, out := range printed(t, err) {
				if leaks(out, password) {
					t.Errorf("error shows the secret: %s", out)
				}
			}
		})
	}
}

// printed is the value in all forms in which a program may come to write it.
func printed(t *testing.T, value any) []string {
	t.Helper()
	var outs []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%#q", "%d", "%t", "%f", "%U", "%p", "%T", "%w", "%20s"} {
		outs = append(outs, fmt.Sprintf(verb, value))
	}
	outs = append(outs, fmt.Sprint(value), fmt.Errorf("wrapped: %v", value).Error())

	var log bytes.Buffer
	options := &slog.HandlerOptions{Level: slog.LevelDebug}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, options), slog.NewJSONHandler(&log, options)} {
		logger := slog.New(handler)
		logger.Info("value", "value", value)
		logger.With("value", value).Info("with")
		logger.Info("group", slog.Group("group", slog.Any("value", value)))
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return append(outs, log.String(), string(encoded))
}

// leaks reports whether the output has the secret, plainly or in hexadecimal.
func leaks(out, secret string) bool {
	plain := strings.ToLower(strings.ReplaceAll(out, " ", ""))
	return strings.Contains(out, secret) || strings.Contains(plain, fmt.Sprintf("%x", secret))
}

// TestSecretIsReadAgain: it is as its file has it, and as it was while the file cannot be
// read.
func TestSecretIsReadAgain(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "url")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("postgres://u:first@h/d\n")
	cfg, err := config.Load([]string{"HOOKTAIL_DATABASE_URL_FILE=" + file})
	if err != nil {
		t.Fatal(err)
	}
	reads := func(want string) {
		t.Helper()
		if got := cfg.DatabaseURL.Reread().Reveal(); got != want {
			t.Errorf("read %q, want %q", got, want)
		}
	}
	reads("postgres://u:first@h/d")
	write("postgres://u:second@h/d\n")
	reads("postgres://u:second@h/d")
	write("")
	reads("postgres://u:first@h/d")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	reads("postgres://u:first@h/d")
	if plain := config.NewSecret("x"); plain.Reread().Reveal() != "x" {
		t.Error("a secret of no file is another one")
	}
	if text := fmt.Sprintf("%v %+v %#v", cfg.DatabaseURL, cfg.DatabaseURL, cfg); strings.Contains(text, "first") || strings.Contains(text, file) {
		t.Errorf("it prints: %s", text)
	}
}
