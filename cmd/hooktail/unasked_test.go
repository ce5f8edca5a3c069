package main

import (
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

// TestUnaskedTextIsNotLogged: what a receiver sends beyond its answer, such as the payload,
// is in none of the process's outputs.
func TestUnaskedTextIsNotLogged(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	r := tenHooks(t, db)
	r.Script(path(1), dispatchtest.Unasked(mark))
	p := proctest.Run(t, db, "HOOKTAIL_SETTLE=0")
	const events = 5
	annotateMany(t, db, events)
	r.Wait(t, path(1), events) // each on a connection of its own: the previous one was read to its end
	p.Stop()
	p.Wait(t)
	outputs{"stderr": p.Stderr.String(), "stdout": p.Stdout.String()}.hold(t, "Unsolicited")
}
