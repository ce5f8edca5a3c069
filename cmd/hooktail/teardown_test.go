package main

import (
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// traces is all that hooktail leaves in the database, and what it changes of the
// application.
func traces(t *testing.T, db *cdctest.Database) string {
	t.Helper()
	return db.QueryText(t, `SELECT concat_ws(', ',
		(SELECT string_agg('slot', ' ') FROM pg_replication_slots WHERE slot_name = $1),
		(SELECT string_agg(pubname, ' ') FROM pg_publication),
		(SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = to_regnamespace('hooktail') AND relkind = 'r'),
		(SELECT string_agg(relname || ' full', ' ' ORDER BY relname) FROM pg_class WHERE relreplident = 'f'),
		(SELECT 'off: ' || string_agg(id::text, ' ' ORDER BY id) FROM webhook WHERE NOT is_active))`, db.Name)
}

// fill stores deliveries.
func fill(t *testing.T, db *cdctest.Database, state string, n int) {
	t.Helper()
	db.Exec(t, `INSERT INTO hooktail.parked (hook_id, commit_lsn, ordinal, timeline, event_id, action, project_id, task_id, committed_at, body, bytes, added_at, state, dead_at)
		SELECT 1, '0/1', n, CASE WHEN $1 = 'dead' THEN 2 ELSE 1 END, n::text, 'TASK_CREATED', 1, 1, now(), '', 0, now(), $1, CASE WHEN $1 = 'dead' THEN now() END
		FROM generate_series(1, $2::integer) n`, state, n)
}

// TestTeardown: it says all that goes, and removes it if everything allows; otherwise it
// has changed nothing.
func TestTeardown(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	tenHooks(t, db)
	before := traces(t, db)
	setUpOnce(t, db)
	owner, role := proctest.Environ(db), proctest.RoleEnviron(db)
	fill(t, db, "parked", 31)
	fill(t, db, "dead", 2)
	must(t, role, "hooks", "adopt", "1", "2", "3")
	db.Exec(t, "DELETE FROM webhook WHERE id = 3") // Label Studio's affair
	full := traces(t, db)

	for _, tt := range []struct {
		name    string
		environ []string
		args    []string
		code    int
		says    []string
	}{
		{"hooks are adopted", owner, []string{"--yes"}, exitFailed, []string{"2 hooks (1, 2) are adopted", "hooktail hooks release --all", "--release"}},
		{"not asked", owner, []string{"--release"}, exitUsage, []string{"--yes", "slot " + db.Name, "publication hooktail", "31 parked and 2 dead deliveries", "FULL of table public.project", "2 hooks (1, 2) are activated again"}},
		{"as the role that runs it", role, []string{"--release", "--yes"}, exitFailed, []string{`must be owner of publication "hooktail"`, "must be owner of table public.project", `must be owner of schema "hooktail"`}},
	} {
		code, stdout, stderr := command(tt.environ, append([]string{"teardown"}, tt.args...)...)
		for _, want := range tt.says {
			if !strings.Contains(stdout+stderr, want) {
				t.Errorf("%s: it does not say %q:\n%s%s", tt.name, want, stdout, stderr)
			}
		}
		if code != tt.code {
			t.Errorf("%s: exit code %d, want %d", tt.name, code, tt.code)
		}
		if diff := cmp.Diff(full, traces(t, db)); diff != "" {
			t.Errorf("%s: something was changed (-before +after):\n%s", tt.name, diff)
		}
	}

	p := startAs(t, db, []string{"run"})
	if code, _, stderr := command(owner, "teardown", "--release", "--yes"); code != exitFailed || !strings.Contains(stderr, "in use by server process") {
		t.Errorf("while hooktail runs: exit code %d: %s", code, stderr)
	}
	if diff := cmp.Diff(full, traces(t, db)); diff != "" {
		t.Errorf("while hooktail runs, something was changed (-before +after):\n%s", diff)
	}
	p.end(t)

	must(t, owner, "teardown", "--release", "--yes")
	if diff := cmp.Diff(before, traces(t, db)); diff != "" {
		t.Errorf("what is left (-before setup +after teardown):\n%s", diff)
	}
	if said := must(t, owner, "teardown"); !strings.Contains(said, "nothing to remove") {
		t.Errorf("the second time it says:\n%s", said)
	}
}

func TestConfirm(t *testing.T) {
	for _, tt := range []struct {
		name, answer  string
		terminal, yes bool
		code          int
	}{
		{"said before", "", false, true, exitDone},
		{"no terminal", "y\n", false, false, exitUsage},
		{"yes", "y\n", true, false, exitDone},
		{"yes in full", "Yes", true, false, exitDone},
		{"no", "n\n", true, false, exitFailed},
		{"return", "\n", true, false, exitFailed},
		{"a device without an end", "", true, false, exitUsage},
	} {
		a := &app{stdout: io.Discard}
		if err := a.confirm(strings.NewReader(tt.answer), tt.terminal, tt.yes); exitCode(err) != tt.code {
			t.Errorf("%s: %v, want exit code %d", tt.name, err, tt.code)
		}
	}
}

// TestSetupLeavesNoHalf: a role that may not do all of it has done nothing of it.
func TestSetupLeavesNoHalf(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	before := traces(t, db)
	role := "half_" + db.Name
	db.Exec(t, "CREATE ROLE "+role+" LOGIN")
	t.Cleanup(func() {
		db.Exec(t, "REASSIGN OWNED BY "+role+" TO postgres")
		db.Exec(t, "DROP OWNED BY "+role)
		db.Exec(t, "DROP ROLE "+role)
	})
	environ := proctest.Environ(db, "HOOKTAIL_DATABASE_URL="+strings.Replace(db.DSN, "postgres@", role+"@", 1))
	for _, step := range []struct {
		gives string // to the role, before the next attempt
		lacks []string
	}{
		{"SELECT", []string{"lacks the attribute REPLICATION", "lacks CREATE on database", "must be owner of table public.project"}},
		{"GRANT CREATE ON DATABASE " + db.Name + " TO " + role, []string{"lacks the attribute REPLICATION", "must be owner of table public.project"}},
		{
			`DO $$ DECLARE t text; BEGIN FOREACH t IN ARRAY ARRAY['project', 'task', 'task_completion', 'webhook', 'webhook_action'] LOOP
				EXECUTE 'ALTER TABLE ' || t || ' OWNER TO ` + role + `'; END LOOP; END $$`, []string{"lacks the attribute REPLICATION"},
		},
	} {
		db.Exec(t, step.gives)
		for _, args := range [][]string{{"setup"}, {"run", "--setup"}} {
			code, stdout, stderr := command(environ, args...)
			for _, want := range step.lacks {
				if !strings.Contains(stderr, want) {
					t.Errorf("%v does not say %q:\n%s", args, want, stderr)
				}
			}
			if code != exitFailed || stdout != "" {
				t.Errorf("%v: exit code %d, and %q", args, code, stdout)
			}
			if diff := cmp.Diff(before, traces(t, db)); diff != "" {
				t.Fatalf("%v has left (-before +after):\n%s", args, diff)
			}
		}
	}
	db.Exec(t, "ALTER ROLE "+role+" REPLICATION")
	must(t, environ, "setup")
	must(t, environ, "setup")
	must(t, environ, "teardown", "--yes")
	if diff := cmp.Diff(before, traces(t, db)); diff != "" {
		t.Errorf("what is left (-before setup +after teardown):\n%s", diff)
	}
}

// TestTeardownSparesDependents: as long as somebody's view reads hooktail's tables,
// nothing is removed, and the view is named.
func TestTeardownSparesDependents(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	owner := proctest.Environ(db)
	must(t, owner, "setup")
	db.Exec(t, "CREATE VIEW waiting AS SELECT count(*) FROM hooktail.parked")
	db.Exec(t, "CREATE MATERIALIZED VIEW settings AS SELECT * FROM hooktail.hook_setting")
	before := traces(t, db)
	code, _, stderr := command(owner, "teardown", "--yes")
	for _, want := range []string{"nothing was removed", "view public.waiting", "materialized view public.settings"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("it does not say %q: %s", want, stderr)
		}
	}
	if lines := strings.Count(stderr, "\n"); lines != 1 {
		t.Errorf("%d lines: %s", lines, stderr)
	}
	if after := traces(t, db); code != exitFailed || after != before {
		t.Errorf("exit code %d; before %s, after %s", code, before, after)
	}
	db.Exec(t, "DROP VIEW waiting")
	db.Exec(t, "DROP MATERIALIZED VIEW settings")
	must(t, owner, "teardown", "--yes")
}
