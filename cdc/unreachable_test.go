package cdc

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/hooktail/hooktail/internal/postgres"
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

// TestRefusalIsOneLine: what the server answers is said once, whether a person has to
// mend it or not, and not that it had no TLS, which was optional.
func TestRefusalIsOneLine(t *testing.T) {
	t.Parallel()
	for _, code := range []string{postgres.InvalidAuthorization, postgres.InvalidPassword, postgres.InvalidCatalogName, postgres.InsufficientPrivilege, "53300"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			config, err := pgconn.ParseConfig("postgres://jane@" + refusing(t, code) + "/labels?sslmode=prefer")
			if err != nil {
				t.Fatal(err)
			}
			_, err = pgconn.ConnectConfig(t.Context(), config)
			text := Explain(err, config).Error()
			if strings.Count(text, "not like this") != 1 || strings.Contains(text, "\n") || strings.Contains(text, "TLS") {
				t.Errorf("said %q", text)
			}
		})
	}
}

// refusing returns the address of a server that has no TLS and refuses all connections.
func refusing(t *testing.T, code string) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			refuse(conn, code)
		}
	}()
	return listener.Addr().String()
}

func refuse(conn net.Conn, code string) {
	defer conn.Close()
	server := pgproto3.NewBackend(conn, conn)
	for {
		message, err := server.ReceiveStartupMessage()
		if err != nil {
			return
		}
		if _, ok := message.(*pgproto3.SSLRequest); ok {
			_, _ = conn.Write([]byte("N"))
			continue
		}
		server.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: code, Message: "not like this"})
		_ = server.Flush()
		return
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

// TestPoolerIsNamed: poolers refuse the session's settings with an answer that no server
// gives, and without the word that explains it.
func TestPoolerIsNamed(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]bool{postgres.ProtocolViolation: true, "53300": false, postgres.InvalidPassword: false} {
		config, err := pgconn.ParseConfig("postgres://jane@" + refusing(t, code) + "/labels?sslmode=disable")
		if err != nil {
			t.Fatal(err)
		}
		_, err = pgconn.ConnectConfig(t.Context(), config)
		said := Explain(err, config)
		if got := strings.Contains(said.Error(), "must name the server itself"); got != want || want && Final(said) {
			t.Errorf("%s: %q, names a pooler: %t, want %t", code, said, got, want)
		}
	}
}
