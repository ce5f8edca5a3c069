package cdctest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/testdata"
)

// Database is a database that belongs to one test and goes with it.
type Database struct {
	Name string
	DSN  string // of the superuser

	server *Server

	mu   sync.Mutex // guards idle
	idle *pgx.Conn  // the session of the last statement, for the next one; nil: none
}

// On is the same database on another server: a standby.
func (d *Database) On(s *Server) *Database {
	return &Database{Name: d.Name, DSN: s.DSN(d.Name), server: s}
}

// At is the server's database of that name at that address: a copy, or the same one
// behind a proxy. It belongs to who has made it.
func (d *Database) At(name, dsn string) *Database {
	return &Database{Name: name, DSN: dsn, server: d.server}
}

// Connect opens a connection that is closed when the test ends.
func (d *Database) Connect(t testing.TB) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), d.DSN)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) }) // the test may have closed or cut it
	return conn
}

// Exec runs a statement in a transaction of its own, and in a session that has nothing
// of earlier ones.
func (d *Database) Exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if err := d.do(func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sql, args...)
		return err
	}); err != nil {
		t.Fatalf("run %.200q: %v", sql, err)
	}
}

// QueryText is the first column of the first row as text; "" stands for null
// and for no row.
func (d *Database) QueryText(t testing.TB, sql string, args ...any) string {
	t.Helper()
	var text string
	if err := d.do(func(ctx context.Context, conn *pgx.Conn) error {
		args = append([]any{pgx.QueryResultFormats{pgx.TextFormatCode}}, args...)
		rows, err := conn.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		if rows.Next() {
			text = string(rows.RawValues()[0])
		}
		rows.Close()
		return rows.Err()
	}); err != nil {
		t.Fatalf("query %.200q: %v", sql, err)
	}
	return text
}

// Play runs a recorded scenario, named by its folder, statement by statement.
func (d *Database) Play(t testing.TB, scenario string) {
	t.Helper()
	statements, err := testdata.Changes(scenario)
	if err == nil {
		err = d.do(func(ctx context.Context, conn *pgx.Conn) error { return testdata.Play(ctx, conn, statements) })
	}
	if err != nil {
		t.Fatalf("play %s: %v", scenario, err)
	}
}

// do calls f with a session that is as new.
func (d *Database) do(f func(context.Context, *pgx.Conn) error) error {
	ctx := context.Background()
	conn, err := d.take(ctx)
	if err != nil {
		return err
	}
	defer d.give(ctx, conn)
	return f(ctx, conn)
}

// take returns the idle session, cleared of what was done in it, or a new one: a test
// that polls would keep a core busy with the making of connections alone.
func (d *Database) take(ctx context.Context) (*pgx.Conn, error) {
	d.mu.Lock()
	conn := d.idle
	d.idle = nil
	d.mu.Unlock()
	if conn != nil {
		if _, err := conn.Exec(ctx, "DISCARD ALL"); err == nil {
			return conn, nil
		}
		_ = conn.Close(ctx) // the server has ended it, or a transaction is open
	}
	config, err := pgx.ParseConfig(d.DSN)
	if err != nil {
		return nil, err
	}
	// What is discarded cannot be cached. The name says that no Label Studio is behind
	// the session.
	config.DefaultQueryExecMode = pgx.QueryExecModeDescribeExec
	config.RuntimeParams["application_name"] = "psql"
	return pgx.ConnectConfig(ctx, config)
}

// give keeps the session for the next statement, if there is none.
func (d *Database) give(ctx context.Context, conn *pgx.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.idle == nil && !conn.IsClosed() {
		d.idle = conn
		return
	}
	_ = conn.Close(ctx) // the statement has told its error
}

// drop removes the database and its slots. A walsender that was told to end
// may hold its slot for a moment longer.
func (d *Database) drop(t testing.TB) {
	const slots = `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots
		WHERE database = '%s' AND active_pid IS NOT NULL`
	d.mu.Lock()
	if d.idle != nil {
		_ = d.idle.Close(context.Background()) // with the database
	}
	d.mu.Unlock()
	const remove = `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = '%s'`
	deadline := time.Now().Add(10 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := d.server.admin(fmt.Sprintf(slots, d.Name), fmt.Sprintf(remove, d.Name),
			"DROP DATABASE IF EXISTS "+d.Name+" WITH (FORCE)")
		var inUse *pgconn.PgError
		switch {
		case err == nil:
			return
		case !errors.As(err, &inUse) || time.Now().After(deadline):
			if !t.Failed() { // a test that killed the server has said why
				t.Logf("drop database: %v", err)
			}
			return
		}
		<-tick.C
	}
}
