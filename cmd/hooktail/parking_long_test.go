//go:build long

package main

import (
	"fmt"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

// TestKillMinus9WhileParkingAndDraining: a killed program has lost nothing of
// what it had parked, whether it was parking or draining.
func TestKillMinus9WhileParkingAndDraining(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	r := tenHooks(t, db)
	from := lastAnnotation(t, db)
	for range 2 {
		r.Script(path(1), dispatchtest.Status(503))
		p := proctest.Run(t, db, "HOOKTAIL_SETTLE=0")
		annotateMany(t, db, 60)
		proctest.WaitFor(t, func() error {
			if parkedRows(t, db, "parked") == "0" {
				return fmt.Errorf("nothing is parked")
			}
			return nil
		})
		p.Kill() // while it parks

		r.Script(path(1))
		before := len(r.Requests(path(1)))
		p = proctest.Run(t, db, "HOOKTAIL_SETTLE=0")
		db.Exec(t, "UPDATE webhook SET updated_at = now() WHERE id = 1")
		r.Wait(t, path(1), before+5)
		p.Kill() // while it drains
	}
	start(t, db, "HOOKTAIL_SETTLE=0")
	db.Exec(t, "UPDATE webhook SET updated_at = now() WHERE id = 1")
	delivered(t, db)
	for hook := 1; hook <= 10; hook++ {
		inOrderPerTask(t, db, r, path(hook), from)
	}
}
