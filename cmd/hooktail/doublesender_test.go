package main

import (
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestDoubleSenderIsWarnedOf: once per hook, with the command that ends it, and not
// of hooks that Label Studio does not send to.
func TestDoubleSenderIsWarnedOf(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	receive(t, db)
	setUpOnce(t, db)
	must(t, proctest.RoleEnviron(db), "hooks", "adopt", "2")
	db.Connect(t) // as Label Studio does: a session without a name
	p := start(t, db)
	for _, hook := range []string{"1", "3"} {
		p.err.Find(t, `level=WARN .*other_sessions=\d+ remedy="(hooktail hooks adopt `+hook+`)"`, p.ended)
	}
	must(t, proctest.RoleEnviron(db), "hooks", "pause", "1") // the watcher looks again
	delivered(t, db)
	p.end(t)
	log := p.err.String()
	for hook, want := range map[string]int{"1": 1, "2": 0, "3": 1, "4": 0} {
		if n := strings.Count(log, `remedy="hooktail hooks adopt `+hook+`"`); n != want {
			t.Errorf("hook %s is warned of %d times, want %d", hook, n, want)
		}
	}
}
