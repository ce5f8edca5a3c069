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

// Database belongs to one test and is dropped after it.
type Database struct {
	Name string
	DSN  string // for the superuser

	server *Server

	mu   sync.Mutex // guards idle
	idle *pgx.Conn  // session of the last statement, for reuse; nil: none
}

// On returns the same database on another server, a standby.
func (d *Database) On(s *Server) *Database {
	return &Database{Name: d.Name, DSN: s.DSN(d.Name), server: s}
}

// At returns the server's database of that name at that address: a copy, or the same
// database behind a proxy. Its creator drops it.
func (d *Database) At(name, dsn string) *Database {
	return &Database{Name: name, DSN: dsn, server: d.server}
}

// Connect opens a connection and closes it after the test.
func (d *Database) Connect(t testing.TB) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), d.DSN)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) }) // the test may have closed or cut it
	return conn
}

// Exec runs a statement in a transaction of its own, in a session without any state of
// earlier ones.
func (d *Database) Exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if err := d.do(func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sql, args...)
		return err
	}); err != nil {
		t.Fatalf("run %.200q: %v", sql, err)
	}
}

// Configure sets a parameter of the whole server, and has its processes read it soon. It
// remains set.
func (d *Database) Configure(t testing.TB, parameter, value string) {
	t.Helper()
	d.Exec(t, "ALTER SYSTEM SET "+parameter+" = '"+value+"'")
	d.Exec(t, "SELECT pg_reload_conf()")
}

// QueryText returns the first column of the first row as text; "" for null and for no
// row.
func (d *Database) QueryText(t testing.TB, sql string, args ...any) string {
	t.Helper()
	var text string
	if err := d.do(func(ctx context.Context, conn *pgx.Conn) error {
		args = append([]any{pgx.QueryResultFormats{pgx.TextFormatCode}}, args...)
		rows, err := conn.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
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

// do calls f with a session in its initial state.
func (d *Database) do(f func(context.Context, *pgx.Conn) error) error {
	ctx := context.Background()
	conn, err := d.session(ctx)
	if err != nil {
		return err
	}
	defer d.give(ctx, conn)
	return f(ctx, conn)
}

// session returns the idle session, reset, or a new one: with a new connection for each
// query, a test that polls would keep a core busy.
func (d *Database) session(ctx context.Context) (*pgx.Conn, error) {
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
	// Discarded statements cannot be cached. The name shows that the session is not Label
	// Studio's.
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
	_ = conn.Close(ctx) // the statement has returned its error
}

// drop drops the database and its slots. A terminated walsender may hold its slot for a
// moment.
func (d *Database) drop(t testing.TB) {
	const slots = `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots
		WHERE database = '%s' AND active_pid IS NOT NULL`
	d.mu.Lock()
	if d.idle != nil {
		_ = d.idle.Close(context.Background()) // before the database is dropped
	}
	d.mu.Unlock()
	const remove = `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = '%s'`
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := d.server.admin(fmt.Sprintf(slots, d.Name), fmt.Sprintf(remove, d.Name),
			"DROP DATABASE IF EXISTS "+d.Name+" WITH (FORCE)")
		_, refused := errors.AsType[*pgconn.PgError](err)
		switch {
		case err == nil:
			return
		case !refused || time.Now().After(deadline):
			if !t.Failed() { // a test that killed the server has reported the reason
				t.Logf("drop database: %v", err)
			}
			return
		}
		<-time.After(20 * time.Millisecond)
	}
}
