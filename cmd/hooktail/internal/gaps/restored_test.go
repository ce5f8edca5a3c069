package gaps

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestRestoredWhileRunning puts the server back to where it was, with its slots and
// what hooktail has written, under a hooktail that runs and has delivered more: it
// alone knows.
func TestRestoredWhileRunning(t *testing.T) {
	t.Parallel()
	s := newScene(t, &throwaway.Options{})
	p := proctest.Run(t, s.db, "HOOKTAIL_SETTLE=0")
	s.delivered(s.annotate())
	proctest.Confirmed(t, s.db)
	restore := backup(t, s.server)
	for range 3 {
		s.delivered(s.annotate())
	}
	proctest.Confirmed(t, s.db)
	restore()
	s.refuses(p, "the database was restored to a moment before: timeline 1 was left at")
	s.refuses(proctest.Start(t, proctest.RoleEnviron(s.db), "run"), "the database was restored to a moment before")
}

// backup copies the data of a server that was stopped in the meantime.
func backup(t *testing.T, server *cdctest.Server) (restore func()) {
	t.Helper()
	data := filepath.Join(filepath.Dir(server.Socket()), "data")
	saved := data + ".saved"
	run := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v: %s", name, args, err, out)
		}
	}
	stop := func() {
		t.Helper()
		if err := server.Stop(throwaway.Fast); err != nil {
			t.Fatal(err)
		}
	}
	start := func() {
		t.Helper()
		if err := server.Start(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	run("cp", "-a", data, saved)
	start()
	return func() {
		t.Helper()
		stop()
		if err := os.RemoveAll(data); err != nil {
			t.Fatal(err)
		}
		run("cp", "-a", saved, data)
		signal := filepath.Join(data, "recovery.signal")
		run("cp", "-a", filepath.Join(data, "PG_VERSION"), signal) // the server's own
		auto, err := os.OpenFile(filepath.Join(data, "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer auto.Close() //nolint:errcheck // it was written
		if _, err := auto.WriteString("restore_command = 'false'\n"); err != nil {
			t.Fatal(err)
		}
		start()
	}
}
