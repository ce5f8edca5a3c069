//go:build long

package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/dispatch/state"
)

// TestBodyLargerThanTheMemoryBound: it is sent alone, and said.
func TestBodyLargerThanTheMemoryBound(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	p := proctest.Run(t, db, "HOOKTAIL_MEMORY=16MiB", "HOOKTAIL_SETTLE=0") // the bound is its process's
	db.Exec(t, `INSERT INTO task_completion (result, task_id, project_id, completed_by_id, updated_by_id, was_cancelled,
		ground_truth, created_at, updated_at, prediction, result_count, bulk_created)
		SELECT jsonb_build_array(repeat('x', 20000000)), 7, 1, 1, 1, false, false, now(), now(), '{}', 0, false`)
	db.Exec(t, annotate, 8)
	delivered(t, db)
	var tasks []string
	for _, r := range c.Take() {
		if r.Hook == 1 {
			tasks = append(tasks, idOf(t, r.Body, "task"))
		}
	}
	if strings.Join(tasks, " ") != "7 8" && strings.Join(tasks, " ") != "8 7" {
		t.Errorf("hook 1 got tasks %v, want 7 and 8", tasks)
	}
	if !strings.Contains(p.Stderr.String(), "HOOKTAIL_MEMORY") {
		t.Errorf("the log does not name the bound:\n%.2000s", p.Stderr)
	}
}

// TestWALLevelReplica: the server's setting is named, with the cure.
func TestWALLevelReplica(t *testing.T) {
	t.Parallel()
	server := cdctest.Private(t, throwaway.Options{Settings: map[string]string{"wal_level": "replica"}})
	db := server.LabelStudio(t)
	if err := state.Migrate(t.Context(), db.Connect(t), "hooktail"); err != nil {
		t.Fatal(err)
	}
	proctest.Grant(t, db)
	for _, args := range [][]string{{"setup"}, {"run"}, {"run", "--setup"}, {"tail"}} {
		environ := proctest.RoleEnviron(db)
		if slices.Contains(args, "setup") || slices.Contains(args, "--setup") {
			environ = proctest.Environ(db) // which needs the owner of the tables
		}
		code, _, stderr := command(environ, args...)
		if code != exitFailed || !strings.Contains(stderr, "wal_level is replica") || !strings.Contains(stderr, "ALTER SYSTEM") {
			t.Errorf("%v: exit code = %d, message: %s", args, code, stderr)
		}
	}
}
