//go:build long

package cdc

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc/cdctest"
)

// watched asks whether the server is at work until the test ends, as a run does.
func watched(t *testing.T, s *running, conn *pgx.Conn) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			s.AtWork(ctx, conn)
			<-tick.C
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
}

// TestSilentWorkIsWaitedFor: a server that passes over the rewritten rows of a table says
// nothing for longer than the stream's timeout. It is given time, instead of being made to
// begin again and again.
func TestSilentWorkIsWaitedFor(t *testing.T) {
	t.Parallel()
	for name, as := range map[string]func(t *testing.T, db *cdctest.Database) (user, role string){
		"one role": func(*testing.T, *cdctest.Database) (user, role string) { return "postgres", "" },
		"login that acts as another role": func(t *testing.T, db *cdctest.Database) (user, role string) {
			user, role = "login_"+db.Name, "acts_"+db.Name
			db.Exec(t, "CREATE ROLE "+role+" REPLICATION")
			db.Exec(t, "CREATE ROLE "+user+" LOGIN REPLICATION IN ROLE "+role)
			t.Cleanup(func() { db.Exec(t, "DROP ROLE "+user+", "+role) })
			return user, role
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, plan := source(t, cdctest.Postgres(t))
			db.Exec(t, "CREATE TABLE big AS SELECT g AS id FROM generate_series(1, 600000) AS g")
			db.Exec(t, "SELECT pg_replication_slot_advance($1, pg_current_wal_lsn())", plan.Slot)
			user, role := as(t, db)
			dsn := strings.Replace(db.DSN, "postgres@", user+"@", 1)
			if role != "" {
				dsn += "&role=" + role
			}
			o := optionsOf(t, db.At(db.Name, dsn), plan)
			o.Timeout = 300 * time.Millisecond
			conn, err := pgx.Connect(t.Context(), dsn)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close(context.Background()) })
			s := start(t, o)
			watched(t, s, conn)
			<-s.Started()
			db.Exec(t, "ALTER TABLE big ALTER COLUMN id TYPE bigint")
			db.Exec(t, "INSERT INTO a VALUES (1, '')")
			s.collect(t, 1)
		})
	}
}

// TestIdleServerIsNotAtWork: a server whose client is gone waits, so a half-open
// connection is noticed as ever.
func TestIdleServerIsNotAtWork(t *testing.T) {
	t.Parallel()
	server := cdctest.Postgres(t)
	db, plan := source(t, server)
	proxy := cdctest.NewProxy(t, "unix", server.Socket())
	s := start(t, through(t, optionsOf(t, db, plan), proxy))
	watched(t, s, db.Connect(t))
	<-s.Started()
	proxy.Stall()
	db.Exec(t, "INSERT INTO a VALUES (1, '')")
	await(t, func() string {
		if s.Stats().Connected {
			return "still taken for connected"
		}
		return ""
	})
	proxy.Heal()
	s.collect(t, 1)
}
