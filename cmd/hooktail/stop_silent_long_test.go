//go:build long

package main

import (
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestStopBesideASilentDatabase: a database that has been frozen, or is behind a half-open connection, holds
// a stop up for the last words to it, and not for the end of each connection.
func TestStopBesideASilentDatabase(t *testing.T) {
	t.Parallel()
	const most = 14 * time.Second // the grace period, what may follow it, and a slow machine; it took 21 s
	server := cdctest.Postgres(t)
	db := server.LabelStudio(t)
	r := tenHooks(t, db)
	proxy := cdctest.NewProxy(t, "unix", server.Socket())
	setUpOnce(t, db)
	p := startAlone(t, proctest.RoleEnviron(db, "HOOKTAIL_SETTLE=0", "HOOKTAIL_GRACE=2s",
		"HOOKTAIL_DATABASE_URL=postgres://hooktail@"+proxy.Addr()+"/"+db.Name+"?sslmode=disable"))
	p.whenReady(t)
	db.Exec(t, annotate, 7)
	r.Wait(t, path(1), 1)
	proxy.Stall()
	began := time.Now()
	code := p.end(t)
	if took := time.Since(began); code != 0 || took > most {
		t.Errorf("the program ends with exit code %d after %s, want 0 within %s", code, took, most)
	}
}
