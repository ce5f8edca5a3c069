package doctor_test

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/doctor"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
)

// look examines within the test, as a superuser, with other options.
func (p *patient) look(t *testing.T, change func(*doctor.Options)) []doctor.Finding {
	t.Helper()
	cfg, err := config.Load(proctest.Environ(p.db))
	if err != nil {
		t.Fatal(err)
	}
	replication, err := pgconn.ParseConfig(p.db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	sender := send.New(send.Options{})
	defer sender.Close()
	o := doctor.Options{
		Config: cfg, Plan: cdc.Plan{Slot: cfg.Slot, Publication: cfg.Publication}, Hooks: hook.Options{Log: slog.New(slog.DiscardHandler)},
		Sender: sender, Replication: replication, Now: time.Now,
		Open: func(ctx context.Context) (*pgxpool.Pool, error) { return pgxpool.New(ctx, p.db.DSN) },
	}
	change(&o)
	return doctor.Examine(t.Context(), o)
}

// TestClocksThatDisagree by an hour, either way.
func TestClocksThatDisagree(t *testing.T) {
	t.Parallel()
	p := healthy(t)
	for way, shift := range map[string]time.Duration{"behind": time.Hour, "ahead of": -time.Hour} {
		findings := p.look(t, func(o *doctor.Options) { o.Now = func() time.Time { return time.Now().Add(shift) } })
		check(t, findings, sign{"clock", doctor.Warning, "60 min " + way, "timedatectl"})
	}
}

// pooler is an address that names another process than the one that answers, as
// poolers do: it changes BackendKeyData.
// https://www.postgresql.org/docs/current/protocol-message-formats.html
func pooler(t *testing.T, socket string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("unix", socket)
			if err != nil {
				client.Close()
				return
			}
			go func() { defer server.Close(); _, _ = io.Copy(server, client) }()
			go func() { defer client.Close(); forward(client, server) }()
		}
	}()
	return listener.Addr().String()
}

// forward copies the server's messages until either side ends.
func forward(to io.Writer, from io.Reader) {
	header := make([]byte, 5)
	for {
		if _, err := io.ReadFull(from, header); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(header[1:])-4)
		if _, err := io.ReadFull(from, body); err != nil {
			return
		}
		if header[0] == 'K' {
			binary.BigEndian.PutUint32(body, 1)
		}
		if _, err := to.Write(append(header, body...)); err != nil {
			return
		}
	}
}
