package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/dispatch/state"
)

// TestStandbyOfAnotherVersion: a standby that could not lead on the present tables is not ready, so that
// an update of several instances stops at the first one. One that starts there ends. The leader goes on.
func TestStandbyOfAnotherVersion(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	r := tenHooks(t, db)
	start(t, db, "HOOKTAIL_SETTLE=0")
	standby := proctest.Start(t, proctest.RoleEnviron(db), "run")
	standby.StandsBy(t)
	says := func(status int, words string) {
		t.Helper()
		proctest.WaitFor(t, func() error {
			if is, body := standby.Get(t, "/readyz"); is != status || !strings.Contains(body, words) {
				return fmt.Errorf("/readyz is %d: %s", is, body)
			}
			return nil
		})
	}
	for _, version := range []struct{ is, words string }{{"+ 1", "newer than this hooktail"}, {"- 1", "run `hooktail setup`"}} {
		db.Exec(t, "UPDATE hooktail.migration SET version_id = version_id "+version.is+" WHERE version_id = (SELECT max(version_id) FROM hooktail.migration)")
		says(http.StatusServiceUnavailable, version.words)
		if code, _, stderr := command(proctest.RoleEnviron(db), "run"); code != exitFailed || !strings.Contains(stderr, version.words) {
			t.Errorf("a second standby ends with exit code %d: %s", code, stderr)
		}
		db.Exec(t, "UPDATE hooktail.migration SET version_id = "+fmt.Sprint(state.Newest())+" WHERE version_id = (SELECT max(version_id) FROM hooktail.migration)")
		says(http.StatusOK, "")
	}
	db.Exec(t, annotate, 7)
	r.Wait(t, path(1), 1)
}
