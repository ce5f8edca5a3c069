package main

import (
	"strings"
	"sync"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestSetupsAtOnce: of several setups of one database, each finds in the end what another one
// has made.
func TestSetupsAtOnce(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if code, stdout, stderr := command(proctest.Environ(db), "setup"); code != exitDone || !strings.Contains(stdout, "-- slot "+db.Name+" is at ") {
				t.Errorf("exit code %d: %s%s", code, stdout, stderr)
			}
		})
	}
	wg.Wait()
}
