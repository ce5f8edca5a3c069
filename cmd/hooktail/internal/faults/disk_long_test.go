//go:build long

package faults

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestFullDiskWhileParking: the database has no room for what is to be parked. The
// program says why, confirms nothing of it, and goes on when there is room.
//
// The file of the table is /dev/full meanwhile, of which the system says that it
// has no space left; that takes no privilege, and fills nobody's disk.
func TestFullDiskWhileParking(t *testing.T) {
	t.Parallel()
	server := cdctest.Private(t, throwaway.Options{})
	s := prepare(t, server.LabelStudio(t), "steady", "dead")
	s.answers(func(hook string) int {
		if hook == "dead" {
			return http.StatusInternalServerError
		}
		return http.StatusOK
	})
	proctest.SetUp(t, s.db)
	file := filepath.Join(s.db.QueryText(t, "SHOW data_directory"), s.db.QueryText(t, "SELECT pg_relation_filepath('hooktail.parked')"))
	if err := os.Rename(file, file+".kept"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", file); err != nil {
		t.Fatal(err)
	}
	p := proctest.Run(t, s.db)
	l := s.write(t, rate{every: 50 * time.Millisecond})
	p.Stderr.Find(t, `level=ERROR msg="the store of parked deliveries did not answer; trying again: the slot waits for it".*(No space left on device)`, p.Ended())
	s.arrives(t, "steady", 50)
	s.neverAhead(t)
	stillRuns(t, p)

	if err := os.Rename(file+".kept", file); err != nil {
		t.Fatal(err)
	}
	s.db.Exec(t, "ALTER TABLE hooktail.parked SET (fillfactor = 100)") // lets the server open the file anew
	proctest.WaitFor(t, func() error {
		if strings.Contains(p.Stderr.String(), "the store of parked deliveries answers again") {
			return nil
		}
		return os.ErrDeadlineExceeded
	})
	s.arrives(t, "steady", 50)
	s.neverAhead(t)
	l.stop()
	s.check(t)
	s.neverAhead(t)
}
