package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestTablesOfAnotherLabelStudio: hooktail's tables know a hook by its id alone, so what is
// parked for one Label Studio's hook would be sent to another one's. A second Label Studio
// in the database gets tables of its own; a second hooktail of the same one may share them.
func TestTablesOfAnotherLabelStudio(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	db.Exec(t, "CREATE SCHEMA second")
	for _, name := range []string{"project", "task", "task_completion", "webhook", "webhook_action"} {
		db.Exec(t, "CREATE TABLE second."+name+" (LIKE public."+name+" INCLUDING ALL)")
	}
	must(t, proctest.Environ(db), "setup")
	second := []string{"HOOKTAIL_SOURCE_SCHEMA=second", "HOOKTAIL_SLOT=second_" + db.Name, "HOOKTAIL_PUBLICATION=second"}
	for _, args := range [][]string{{"setup"}, {"run", "--setup"}} {
		code, stdout, stderr := command(proctest.Environ(db, second...), args...)
		if code != exitFailed || !strings.Contains(stderr, "HOOKTAIL_STATE_SCHEMA") {
			t.Errorf("%s: exit code %d, want %d and the variable to set:\n%s%s", args, code, exitFailed, stdout, stderr)
		}
		if n := db.QueryText(t, "SELECT count(*) FROM pg_publication WHERE pubname = 'second'"); n != "0" {
			t.Errorf("%s made a publication", args)
		}
	}
	must(t, proctest.Environ(db, "HOOKTAIL_SLOT=again_"+db.Name), "setup")
	must(t, proctest.Environ(db, slices.Concat(second, []string{"HOOKTAIL_STATE_SCHEMA=second_hooktail"})...), "setup")
	db.Exec(t, "INSERT INTO hooktail.position SELECT * FROM second_hooktail.position")
	must(t, proctest.Environ(db, second...), "setup") // it has begun with these tables before
}
