package cdc

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// TestUnreachableIsSaidOnce, however many addresses the host has and however often pgx
// has tried each, without the password.
func TestUnreachableIsSaidOnce(t *testing.T) {
	t.Parallel()
	const port = 1 // nobody listens there, and no other test is given it
	config, err := pgconn.ParseConfig("postgres://jane:open-sesame@/labels")
	if err != nil {
		t.Fatal(err)
	}
	config.Host, config.Port = "database", port
	config.Fallbacks = []*pgconn.FallbackConfig{{Host: config.Host, Port: config.Port}}
	config.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"127.0.0.1", "127.0.0.2"}, nil }
	_, err = pgconn.ConnectConfig(t.Context(), config)
	said := Explain(err, config)
	text := said.Error()
	if strings.Count(text, "refused") != 1 || strings.Count(text, "127.0.0.1:") != 1 || strings.Count(text, "127.0.0.2:") != 1 ||
		strings.Contains(text, "\n") || strings.Contains(text, "open-sesame") {
		t.Errorf("said %q", text)
	}
	if !errors.Is(said, syscall.ECONNREFUSED) || Final(said) {
		t.Errorf("%q has lost its kind", text)
	}
}

// TestUnknownHostHintsAtThePassword: a host that nobody knows may be the rest of a
// password with an @ in it.
func TestUnknownHostHintsAtThePassword(t *testing.T) {
	t.Parallel()
	config, err := pgconn.ParseConfig("postgres://jane:open@sesame/labels")
	if err != nil {
		t.Fatal(err)
	}
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	_, err = pgconn.ConnectConfig(t.Context(), config)
	if text := Explain(err, config).Error(); strings.Count(text, "no such host") != 1 || !strings.Contains(text, "%40") {
		t.Errorf("said %q", text)
	}
}
