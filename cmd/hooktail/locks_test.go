package main

import (
	"io"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestCommandsSayWhoLocks: a command that waits for a lock says whose it is, and goes on once
// it is gone; so does one that only reads the hooks.
func TestCommandsSayWhoLocks(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	setUpOnce(t, db)
	for _, tt := range []struct {
		lock string
		args []string
	}{
		{"SELECT FROM webhook WHERE id = 1 FOR UPDATE", []string{"hooks", "adopt", "1"}},
		{"LOCK TABLE webhook", []string{"hooks", "show", "1"}},
	} {
		person := db.Connect(t)
		if _, err := person.Exec(t.Context(), "SET application_name = 'migration 17'; BEGIN; "+tt.lock); err != nil {
			t.Fatal(err)
		}
		stderr, ended := proctest.NewOutput(), make(chan struct{})
		code := exitFailed
		go func() {
			defer close(ended)
			a := &app{stdout: io.Discard, stderr: stderr, environ: proctest.RoleEnviron(db)}
			code = a.execute(t.Context(), tt.args)
		}()
		stderr.Find(t, `waiting for a lock held by process \d+, role \S+, application (migration 17)`, ended)
		if _, err := person.Exec(t.Context(), "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
		if <-ended; code != exitDone {
			t.Errorf("%v: exit code %d: %s", tt.args, code, stderr)
		}
	}
}
