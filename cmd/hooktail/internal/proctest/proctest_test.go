package proctest_test

import (
	"net/http"
	"os"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

func TestMain(m *testing.M) { os.Exit(proctest.Main(m)) }

// TestProgramRunsAndEnds: the program of the sources is built, gets ready on a
// database, answers, and ends when it is told to, or killed.
func TestProgramRunsAndEnds(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	p := proctest.Run(t, db)
	if status, body := p.Get(t, "/livez"); status != http.StatusOK {
		t.Errorf("/livez = %d %s", status, body)
	}
	p.Stop()
	if code := p.Wait(t); code != 0 {
		t.Errorf("exit code %d after Ctrl-C:\n%s", code, p.Stderr)
	}
	if status, _ := p.Get(t, "/livez"); status != 0 {
		t.Errorf("/livez = %d after the end", status)
	}
	killed := proctest.Run(t, db)
	killed.Kill()
	if code := killed.Wait(t); code != -1 {
		t.Errorf("exit code %d after kill -9", code)
	}
}
