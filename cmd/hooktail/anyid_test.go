package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestHooksOfAnyID: a hook is delivered to and managed whatever its id is; what looks like a
// flag, and what there is not, is said. 0 is not the id of a hook.
func TestHooksOfAnyID(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	db.Exec(t, "UPDATE webhook SET id = -7 WHERE id = 1")
	db.Exec(t, "UPDATE webhook SET id = -5 WHERE id = 2")
	environ := proctest.RoleEnviron(db)
	start(t, db, "HOOKTAIL_SETTLE=0")
	annotation := db.QueryText(t, annotate, 7)
	delivered(t, db)
	got := map[string]bool{} // by the old ids, which the URLs have
	for _, r := range c.Take() {
		if r.Action == "ANNOTATION_CREATED" {
			got[fmt.Sprintf("/h/%d", r.Hook)] = true
		}
	}
	if !got["/h/1"] || !got["/h/2"] {
		t.Errorf("annotation %s arrived at %v", annotation, got)
	}
	db.Exec(t, "UPDATE webhook SET id = 0 WHERE id = 6")

	for _, tt := range []struct {
		args string
		code int
		want string // of both outputs
	}{
		{"hooks list", exitDone, "-5"},
		{"hooks show -- -7", exitDone, "hook: -7"},
		{"hooks pause -- -7 -5", exitDone, "hook -5 paused"},
		{"hooks resume -- -7", exitDone, "hook -7 resumed"},
		{"hooks retry -- -5", exitDone, "hook -5 is paused: it retries"},
		{"hooks resume -- -5", exitDone, "hook -5 resumed"},
		{"hooks adopt -- -7 -5", exitDone, "hook -5 adopted"},
		{"hooks release -- -5 -7", exitDone, "hook -7 released"},
		{"hooks ping -- -5", exitDone, "200 (2xx)"},
		{"hooks ping 0", exitFailed, "the row of hook 0 cannot be read"},
		{"hooks retry -5", exitUsage, "hooktail hooks retry -- -5"},
		{"hooks retry -- -6", exitFailed, "there is no hook -6"},
		{"hooks retry 1", exitFailed, "there is no hook 1"},
		{"hooks retry 0x", exitUsage, `"0x" is not the id of a hook`},
		{"deliveries redrive --hook 0 --since 1h", exitUsage, "--hook=0 is not the id of a hook"},
		{"deliveries discard --hook -5", exitDone, "0 deliveries discarded"},
		{"backfill --hook -7 --project 1 --action TASK_CREATED --dry-run", exitDone, "hook -7 would get"},
	} {
		code, stdout, stderr := command(environ, strings.Fields(tt.args)...)
		if code != tt.code || !strings.Contains(strings.Join(strings.Fields(stdout+stderr), " "), strings.Join(strings.Fields(tt.want), " ")) {
			t.Errorf("%s: exit code %d, want %d and %q:\n%s%s", tt.args, code, tt.code, tt.want, stdout, stderr)
		}
	}

	fill(t, db, "dead", 3) // of hook 1
	db.Exec(t, "UPDATE hooktail.parked SET hook_id = -7 WHERE ordinal = 1")
	if said := must(t, environ, "deliveries", "discard", "--hook", "-7"); !strings.Contains(said, "1 delivery discarded") {
		t.Errorf("of hook -7: %s", said)
	}
	if left := parkedRows(t, db, "dead"); left != "2" {
		t.Errorf("%s of the others are left, want 2", left)
	}
}
