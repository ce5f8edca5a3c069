package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

// TestUnstorableDeliveryHoldsNothing: a body that the database refuses is dead, with the
// reason; all others are parked, and the slot moves on.
func TestUnstorableDeliveryHoldsNothing(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	r := tenHooks(t, db)
	for hook := range 3 {
		r.Script(path(hook+1), dispatchtest.Status(503))
	}
	setUpOnce(t, db)
	db.Exec(t, "ALTER TABLE hooktail.parked ADD CONSTRAINT small CHECK (octet_length(body) < 20000)")
	p := start(t, db, "HOOKTAIL_SETTLE=0")
	annotateMany(t, db, 10)
	db.Exec(t, strings.Replace(annotate, "'[]'", "jsonb_build_array(repeat('x', 30000))", 1), 7)
	annotateMany(t, db, 10)
	proctest.Confirmed(t, db)
	const rows = "SELECT string_agg(hook_id || ' ' || state || ' ' || reason || ' ' || n, ', ' ORDER BY hook_id, state) FROM (SELECT hook_id, state, reason, count(*) AS n FROM hooktail.parked GROUP BY 1, 2, 3) AS counted"
	const want = "1 dead unstorable 1, 1 parked  20, 2 dead unstorable 1, 2 parked  20, 3 dead unstorable 1, 3 parked  20"
	proctest.WaitFor(t, func() error {
		if got := db.QueryText(t, rows); got != want {
			return fmt.Errorf("stored: %s; want %s", got, want)
		}
		return nil
	})
	if n := strings.Count(p.err.String(), `constraint \"small\"`); n < 3 {
		t.Errorf("%d lines say why:\n%s", n, p.err)
	}
	for hook := range 3 {
		r.Script(path(hook + 1))
		must(t, proctest.RoleEnviron(db), "hooks", "retry", fmt.Sprint(hook+1))
	}
	delivered(t, db)
	for hook := range 3 {
		if n := len(accepted(r, hook+1)); n != 20 {
			t.Errorf("hook %d has got %d of 20", hook+1, n)
		}
	}
}

// accepted are the bodies that the hook's receiver has taken.
func accepted(r *dispatchtest.Server, hook int) []string {
	var bodies []string
	for _, request := range r.Requests(path(hook)) {
		if request.Status == 200 {
			bodies = append(bodies, string(request.Body))
		}
	}
	return bodies
}
