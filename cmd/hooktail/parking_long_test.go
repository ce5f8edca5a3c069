//go:build long

package main

import (
	"fmt"
	"net/http"
	"slices"
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

// TestKillMinus9WhileRowsAreLocked: what was delivered while somebody had locked its row is
// not sent again by the next run, after what its task has got since.
func TestKillMinus9WhileRowsAreLocked(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	r := tenHooks(t, db)
	r.Script(path(1), dispatchtest.Status(503))
	p := proctest.Run(t, db, "HOOKTAIL_SETTLE=0")
	db.Exec(t, annotate, 7)
	proctest.WaitFor(t, func() error {
		if parkedRows(t, db, "parked") == "0" {
			return fmt.Errorf("nothing is parked")
		}
		return nil
	})
	person, err := db.Connect(t).Begin(t.Context())
	if err == nil {
		_, err = person.Exec(t.Context(), "SELECT FROM hooktail.parked FOR UPDATE")
	}
	if err != nil {
		t.Fatal(err)
	}
	r.Script(path(1))
	must(t, proctest.RoleEnviron(db), "hooks", "retry", "1")
	arrived := func(n int) []string {
		var events []string
		r.WaitFor(t, path(1), fmt.Sprintf("%d accepted", n), func(requests []dispatchtest.Request) bool {
			events = nil
			for _, request := range requests {
				if request.Status == http.StatusOK {
					events = append(events, request.Event)
				}
			}
			return len(events) >= n
		})
		return events
	}
	older := arrived(1)[0]
	db.Exec(t, annotate, 7)
	arrived(2)
	proctest.Confirmed(t, db)
	p.Kill()

	start(t, db, "HOOKTAIL_SETTLE=0")
	db.Exec(t, annotate, 7) // has to wait for all that its task has got
	if got := arrived(3); slices.Contains(got[2:], older) {
		t.Errorf("event %s was sent again after a newer one of its task: %q", older, got)
	}
	if err := person.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestDeadHookLongDelaysOnlyItself is TestDeadHookDelaysOnlyItself with more events.
func TestDeadHookLongDelaysOnlyItself(t *testing.T) {
	t.Parallel()
	delaysOnlyItself(t, 60, 300)
}

// TestMuchHealthyDeliveryWritesNothing is TestHealthyDeliveryWritesNothing with a larger
// transaction. It is not parallel: events that a busy machine holds up for too long are
// parked.
func TestMuchHealthyDeliveryWritesNothing(t *testing.T) {
	writesNothing(t, 100, 3000)
}
