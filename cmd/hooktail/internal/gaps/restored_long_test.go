//go:build long

package gaps

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, data string)
		why    string
	}{
		{"on a new timeline", newTimeline, "the database was restored to an earlier state: timeline 1 ended at"},
		{"on its timeline", nil, "the database was restored to an earlier state: its WAL ends at"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, cdctest.Private(t, throwaway.Options{}))
			p := proctest.Run(t, s.db, "HOOKTAIL_SETTLE=0")
			s.delivered(s.annotate())
			proctest.Confirmed(t, s.db)
			restore := backup(t, s.server)
			for range 20 {
				s.delivered(s.annotate())
			}
			proctest.Confirmed(t, s.db)
			restore(tt.change)
			s.refuses(p, tt.why)
			s.refuses(proctest.Start(t, proctest.RoleEnviron(s.db), "run"), tt.why)
		})
	}
}

// TestRestoredWithoutSlots: backups have no slots, neither those of files
// (pg_basebackup) nor those of SQL (pg_dump); that shows, also where hooktail was
// stopped when one was put in place.
func TestRestoredWithoutSlots(t *testing.T) {
	t.Parallel()
	s, restore := putBack(t)
	restore(func(t *testing.T, data string) {
		for _, slot := range glob(t, data, "pg_replslot/*") {
			if err := os.RemoveAll(slot); err != nil {
				t.Fatal(err)
			}
		}
		newTimeline(t, data)
	})
	missed := s.annotateAnew()
	s.refuses(proctest.Start(t, proctest.RoleEnviron(s.db), "run"), "the slot was dropped")
	s.mend(false)
	p := proctest.Run(t, s.db, "HOOKTAIL_SETTLE=0")
	if origin := s.delivered(missed).Header.Get("hooktail-origin"); origin != "repair" {
		t.Errorf("hooktail-origin of what was missed: %q, want repair", origin)
	}
	s.stop(p)
}

// TestRestoredWithSlots: a copy with slots and all, put back while hooktail was
// stopped, contradicts nothing that is left: hooktail goes on where the copy's slot
// stands. On the same timeline it gives ids again that other events had; on a new
// one it does not.
func TestRestoredWithSlots(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		change   func(t *testing.T, data string)
		timeline string
	}{
		{"on a new timeline", newTimeline, "2"},
		{"on its timeline", nil, "1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, restore := putBack(t)
			restore(tt.change)
			proctest.Run(t, s.db, "HOOKTAIL_SETTLE=0")
			id := s.delivered(s.annotateAnew()).Header.Get("webhook-id")
			if timeline, _, _ := strings.Cut(id, "-"); timeline != tt.timeline {
				t.Errorf("event %s, want one of timeline %s", id, tt.timeline)
			}
		})
	}
}

// putBack has hooktail deliver, stop, deliver more, and stop; restore undoes what was
// after the first stop.
func putBack(t *testing.T) (s *scene, restore func(change func(*testing.T, string))) {
	t.Helper()
	s = newScene(t, cdctest.Private(t, throwaway.Options{}))
	p := proctest.Run(t, s.db, "HOOKTAIL_SETTLE=0")
	s.delivered(s.annotate())
	s.stop(p)
	restore = backup(t, s.server)
	p = proctest.Run(t, s.db, "HOOKTAIL_SETTLE=0")
	for range 3 {
		s.delivered(s.annotate())
	}
	s.stop(p)
	return s, restore
}

// annotateAnew is annotate with an id that none has had, also in the time that was undone.
func (s *scene) annotateAnew() string {
	s.t.Helper()
	s.db.Exec(s.t, "SELECT setval(pg_get_serial_sequence('task_completion', 'id'), 1000)")
	return s.annotate()
}

// backup copies the data of a server that was stopped in the meantime. restore puts it
// back, changed if that is wanted, before the server starts.
func backup(t *testing.T, server *cdctest.Server) (restore func(change func(t *testing.T, data string))) {
	t.Helper()
	data := filepath.Join(filepath.Dir(server.Socket()), "data")
	saved := data + ".saved"
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
	copyAll(t, data, saved)
	start()
	return func(change func(*testing.T, string)) {
		t.Helper()
		stop()
		if err := os.RemoveAll(data); err != nil {
			t.Fatal(err)
		}
		copyAll(t, saved, data)
		if change != nil {
			change(t, data)
		}
		start()
	}
}

// newTimeline makes the server end a recovery when it starts, as one that was restored
// from an archive does. It lets nobody in before that.
func newTimeline(t *testing.T, data string) {
	t.Helper()
	copyAll(t, filepath.Join(data, "PG_VERSION"), filepath.Join(data, "recovery.signal")) // the server's own
	auto, err := os.OpenFile(filepath.Join(data, "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer auto.Close() //nolint:errcheck // it was written
	if _, err := auto.WriteString("restore_command = 'false'\nhot_standby = off\n"); err != nil {
		t.Fatal(err)
	}
}

// copyAll copies a file or a directory, whoever it belongs to.
func copyAll(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("copy %s: %v: %s", from, err, out)
	}
}

func glob(t *testing.T, dir, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("%s in %s: %v", pattern, dir, err)
	}
	return found
}
