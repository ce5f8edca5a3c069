package cdctest

import (
	"context"
	"errors"
	"fmt"
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
}

// On is the same database on another server: a standby.
func (d *Database) On(s *Server) *Database {
	return &Database{Name: d.Name, DSN: s.DSN(d.Name), server: s}
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

// Exec runs a statement on a connection of its own, in a transaction of its own.
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

func (d *Database) do(f func(context.Context, *pgx.Conn) error) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, d.DSN)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return f(ctx, conn)
}

// drop removes the database and its slots. A walsender that was told to end
// may hold its slot for a moment longer.
func (d *Database) drop(t testing.TB) {
	const slots = `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots
		WHERE database = '%s' AND active_pid IS NOT NULL`
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
