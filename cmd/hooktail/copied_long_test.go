//go:build long

package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

// copyOf is a copy of the database as a restored dump is one: without slots.
func copyOf(t *testing.T, db *cdctest.Database, suffix string) *cdctest.Database {
	t.Helper()
	other := db.At(db.Name+suffix, strings.Replace(db.DSN, db.Name, db.Name+suffix, 1))
	admin := cdctest.Postgres(t).Database(t)
	admin.Exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", db.Name)
	admin.Exec(t, "CREATE DATABASE "+other.Name+" TEMPLATE "+db.Name)
	t.Cleanup(func() {
		proctest.WaitFor(t, func() error {
			if n := admin.QueryText(t, "SELECT count(*) FROM pg_replication_slots WHERE database = $1 AND active", other.Name); n != "0" {
				return fmt.Errorf("%s slots of the copy are active", n)
			}
			return nil
		})
		admin.Exec(t, "DROP DATABASE "+other.Name+" WITH (FORCE)")
	})
	return other
}

// TestCopySendsNothingParked: what was parked in the original is not sent by a hooktail
// on its copy before somebody has decided; then it is sent, or gone, and what is new is
// delivered.
func TestCopySendsNothingParked(t *testing.T) {
	t.Parallel()
	original := cdctest.Postgres(t).LabelStudio(t)
	r := tenHooks(t, original)
	r.Script(path(1), dispatchtest.Status(503))
	p := start(t, original, "HOOKTAIL_SETTLE=0")
	annotateMany(t, original, 5)
	proctest.WaitFor(t, func() error {
		if n := parkedRows(t, original, "parked"); n != "5" {
			return fmt.Errorf("%s of 5 are parked", n)
		}
		return nil
	})
	if code := p.end(t); code != exitDone {
		t.Fatalf("exit code %d:\n%s", code, p.err)
	}
	sent := len(r.Requests(path(1)))
	r.Script(path(1))
	for _, choice := range []string{"--forget-parked", "--keep-parked"} {
		db := copyOf(t, original, strings.ReplaceAll(strings.TrimPrefix(choice, "-"), "-", "_"))
		setUpOnce(t, db)
		if code, _, stderr := command(proctest.Environ(db), "setup"); code != exitDone || !strings.Contains(stderr, "are a copy") { // its tables are there, and its slot is not
			t.Fatalf("setup: exit code %d:\n%s", code, stderr)
		}
		environ := proctest.RoleEnviron(db, "HOOKTAIL_SETTLE=0")
		for range 2 {
			code, _, stderr := command(environ, "run")
			if code != exitGap || !strings.Contains(stderr, "5 deliveries were parked there") || !strings.Contains(stderr, "level=ERROR") {
				t.Fatalf("run: exit code %d:\n%s", code, stderr)
			}
			if code, _, stderr := command(environ, "repair"); code != exitGap || !strings.Contains(stderr, "--keep-parked") {
				t.Errorf("repair without a choice: exit code %d:\n%s", code, stderr)
			}
			if _, out, _ := command(environ, "doctor"); !strings.Contains(out, "failure  copy: ") || !strings.Contains(out, "5 deliveries were parked") {
				t.Errorf("doctor:\n%s", out)
			}
			must(t, environ, "repair", "--dry-run", choice)
		}
		if n := len(r.Requests(path(1))); n != sent {
			t.Fatalf("%d requests were sent by the copy", n-sent)
		}
		must(t, environ, "repair", choice)
		must(t, environ, "repair")
		want := sent + 1
		if choice == "--keep-parked" {
			want += 5
			db.Exec(t, "UPDATE hooktail.parked SET commit_lsn = commit_lsn + 1000000000000") // as of a server that has written more WAL
		}
		program := startAs(t, db, []string{"run"}, "HOOKTAIL_SETTLE=0")
		annotateMany(t, db, 1)
		r.Wait(t, path(1), want)
		delivered(t, db)
		if n := len(r.Requests(path(1))); n != want {
			t.Errorf("%s: %d requests, want %d", choice, n-sent, want-sent)
		}
		sent = want
		if code := program.end(t); code != exitDone {
			t.Errorf("exit code %d:\n%s", code, program.err)
		}
	}
	for _, args := range [][]string{{"--forget-parked"}, {"--forget-parked", "--keep-parked"}} {
		if code, _, stderr := command(proctest.RoleEnviron(original), append([]string{"repair"}, args...)...); code != exitUsage {
			t.Errorf("repair %v of the original: exit code %d:\n%s", args, code, stderr)
		}
	}
	if n := parkedRows(t, original, "parked"); n != "5" {
		t.Errorf("%s are parked in the original", n)
	}
}
