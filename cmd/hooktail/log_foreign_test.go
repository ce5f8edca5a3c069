package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/natslog/natstest"
)

// TestLogOfAnotherDatabase: two databases have a slot of the same name and the same NATS account. The
// second one, which may be a copy of the first, neither writes to the log nor sends what is in it, nor
// sends it again, and says so, until the log is its own.
func TestLogOfAnotherDatabase(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	r := tenHooks(t, db)
	s := natstest.Start(t, nil)
	variables := []string{"HOOKTAIL_SETTLE=0", "HOOKTAIL_NATS_SYNC=always", "HOOKTAIL_NATS_URL=" + s.URL()}
	setUpOnce(t, db, variables...)
	js := natstest.Client(t, s.URL())
	bucket, err := js.KeyValue(t.Context(), "HOOKTAIL_"+db.Name)
	if err != nil {
		t.Fatal(err)
	}
	const owner = "database"
	if _, err := bucket.PutString(t.Context(), owner, `{"System": "1", "Database": 1, "Name": "first"}`); err != nil {
		t.Fatal(err)
	}
	var programs []*program
	for _, role := range []string{"reader", "sender"} {
		programs = append(programs, startAlone(t, proctest.RoleEnviron(db, append(variables, "HOOKTAIL_ROLE="+role)...)))
	}
	db.Exec(t, annotate, 7)
	for _, p := range programs {
		proctest.WaitFor(t, func() error { return p.says("the log belongs to another database", `of database \"first\"`) })
	}
	environ := proctest.RoleEnviron(db, append(variables, "HOOKTAIL_KEEP=1h")...)
	if code, _, stderr := command(environ, "replay", "--hook", "1", "--since", "1h"); code != exitFailed || !strings.Contains(stderr, "the log belongs to another database") {
		t.Errorf("replay ends with exit code %d:\n%s", code, stderr)
	}
	for _, words := range [][]string{{"setup"}, {"repair"}, {"doctor"}} {
		if code, stdout, stderr := command(environ, words...); code == 0 || !strings.Contains(stdout+stderr, "the log belongs to another database") {
			t.Errorf("%s ends with exit code %d:\n%s%s", words, code, stdout, stderr)
		}
	}
	if _, stdout, stderr := command(proctest.Environ(db, variables...), "teardown"); !strings.Contains(stdout, "slot "+db.Name) || strings.Contains(stdout+stderr, "HOOKTAIL_"+db.Name) {
		t.Errorf("teardown, which has not been confirmed, would remove the other database's log, or nothing:\n%s%s", stdout, stderr)
	}
	info, err := js.Stream(t.Context(), "HOOKTAIL_"+db.Name)
	if err != nil {
		t.Fatal(err)
	}
	if n := info.CachedInfo().State.LastSeq; n != 0 || len(r.Requests(path(1))) != 0 {
		t.Errorf("the log of the other database has %d messages, and the hook %d requests", n, len(r.Requests(path(1))))
	}

	if err := bucket.Delete(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	r.Wait(t, path(1), 1)
	entry, err := bucket.Get(t.Context(), owner)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("%q", db.Name); !strings.Contains(string(entry.Value()), want) {
		t.Errorf("the log belongs to %s, not to %s", entry.Value(), want)
	}
}
