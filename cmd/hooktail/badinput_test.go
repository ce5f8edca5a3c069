package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/cdc"
	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/relay"
)

// command runs one command line to its end.
func command(environ []string, args ...string) (code int, stdout, stderr string) {
	out, err := proctest.NewOutput(), proctest.NewOutput()
	a := &app{stdout: out, stderr: err, environ: environ, Tuning: relay.Tuning{Guest: true}}
	code = a.execute(context.Background(), args)
	return code, out.String(), err.String()
}

// refusal is a command line that is refused, with its exit code and a part of its message.
type refusal struct {
	name string
	db   *cdctest.Database
	args string
	code int
	want string
}

// refused runs each command line as the role with the least privileges. None prints
// anything on standard output.
func refused(t *testing.T, name string, all []refusal) {
	t.Helper()
	for _, tt := range all {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := command(proctest.RoleEnviron(tt.db), append([]string{name}, strings.Fields(tt.args)...)...)
			if code != tt.code || !strings.Contains(stderr, tt.want) || stdout != "" {
				t.Errorf("exit code %d, want %d and %q:\n%s%s", code, tt.code, tt.want, stdout, stderr)
			}
		})
	}
}

// TestFatalSetupExitsNonZero: what only a person can mend ends the program with
// a sentence that names it and says what to do.
func TestFatalSetupExitsNonZero(t *testing.T) {
	t.Parallel()
	server := cdctest.Postgres(t)
	db := server.LabelStudio(t)
	empty, fresh := server.Database(t), server.LabelStudio(t)
	if err := state.Migrate(t.Context(), db.Connect(t), "hooktail"); err != nil {
		t.Fatal(err)
	}
	proctest.Grant(t, db)
	for _, sql := range []string{
		"CREATE ROLE plain_" + db.Name + " LOGIN",
		"GRANT SELECT ON ALL TABLES IN SCHEMA public TO plain_" + db.Name,
		"CREATE ROLE blind_" + db.Name + " LOGIN",
	} {
		db.Exec(t, sql)
	}
	for _, role := range []string{"plain_" + db.Name, "blind_" + db.Name} {
		for _, sql := range state.Grants("hooktail", role) {
			db.Exec(t, sql)
		}
		t.Cleanup(func() { db.Exec(t, "DROP OWNED BY "+role); db.Exec(t, "DROP ROLE "+role) })
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	defer taken.Close()
	with := func(variables ...string) []string { return proctest.RoleEnviron(db, variables...) }
	tests := []struct {
		name    string
		environ []string
		args    []string
		code    int
		want    []string
	}{
		{"no configuration", nil, []string{"run"}, exitUsage, []string{"HOOKTAIL_DATABASE_URL"}},
		{
			"unknown profile and variable", with("HOOKTAIL_PROFILE=gide", "HOOKTAIL_SETTEL=1s"),
			[]string{"run"},
			exitUsage,
			[]string{"HOOKTAIL_PROFILE", "guide or native", "HOOKTAIL_SETTEL", "HOOKTAIL_SETTLE"},
		},
		{"unknown command", with(), []string{"rnu"}, exitUsage, []string{"rnu"}},
		{"unknown flag", with(), []string{"run", "--fast"}, exitUsage, []string{"--fast"}},
		{"database missing", with("HOOKTAIL_DATABASE_URL=" + strings.Replace(server.DSN("nowhere"), "postgres@", "hooktail@", 1)), []string{"run"}, exitFailed, []string{`"nowhere"`, "does not exist"}},
		{"role missing", with("HOOKTAIL_DATABASE_URL=" + strings.Replace(db.DSN, "postgres@", "nobody:open-sesame@", 1)), []string{"run"}, exitFailed, []string{`"nobody"`}},
		{"own tables missing", proctest.RoleEnviron(fresh), []string{"run"}, exitFailed, []string{`"hooktail"`, "hooktail setup"}},
		{"slot missing", with(), []string{"run"}, exitFailed, []string{"slot", db.Name, "does not exist", "hooktail setup"}},
		{
			"no privilege", with("HOOKTAIL_DATABASE_URL=" + strings.Replace(db.DSN, "postgres@", "plain_"+db.Name+"@", 1)),
			[]string{"run"},
			exitFailed,
			[]string{"REPLICATION", "plain_" + db.Name},
		},
		{
			"not the owner", with("HOOKTAIL_DATABASE_URL=" + strings.Replace(db.DSN, "postgres@", "plain_"+db.Name+"@", 1)),
			[]string{"setup"},
			exitFailed,
			[]string{"owner", "public.project"},
		},
		{"no tables", with("HOOKTAIL_DATABASE_URL=" + empty.DSN), []string{"setup"}, exitFailed, []string{"public.project", "public.webhook"}},
		{"a table with another name", proctest.Environ(db, "HOOKTAIL_TASK_TABLE=tsak"), []string{"setup"}, exitFailed, []string{"public.tsak"}},
		{"no tables to list", with("HOOKTAIL_DATABASE_URL=" + empty.DSN), []string{"hooks", "list"}, exitFailed, []string{`"public.webhook_action" does not exist`, "check HOOKTAIL_SOURCE_SCHEMA"}},
		{"no tables to show", with("HOOKTAIL_SOURCE_SCHEMA=nope"), []string{"hooks", "show", "1"}, exitFailed, []string{`"nope.webhook_action" does not exist`, "check HOOKTAIL_SOURCE_SCHEMA"}},
		{
			"no privilege to list", with("HOOKTAIL_DATABASE_URL=" + strings.Replace(db.DSN, "postgres@", "blind_"+db.Name+"@", 1)),
			[]string{"hooks", "list"},
			exitFailed,
			[]string{"permission denied", "run deploy/role.sql again"},
		},
		{"address taken", with("HOOKTAIL_HTTP_ADDR=" + taken.Addr().String()), []string{"run"}, exitFailed, []string{"HOOKTAIL_HTTP_ADDR", taken.Addr().String()}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, _, stderr := command(tt.environ, tt.args...)
			if code != tt.code {
				t.Errorf("exit code = %d, want %d", code, tt.code)
			}
			for _, want := range tt.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("the message does not name %q:\n%s", want, stderr)
				}
			}
			if strings.Contains(stderr, "open-sesame") {
				t.Errorf("the message shows the password:\n%s", stderr)
			}
		})
	}
}

// TestRemedies: what only a person can mend is said once, whichever command meets it.
func TestRemedies(t *testing.T) {
	t.Parallel()
	of := func(code string) error { return &pgconn.PgError{Code: code} }
	for want, errs := range map[string][]error{
		": the server is a standby":      {of("25006")},
		": check HOOKTAIL_SOURCE_SCHEMA": {of("42P01"), of("42703"), of("3F000")},
		": grant the role what it lacks": {of("42501")},
		"":                               {errors.New("canceled"), of("40001"), &cdc.Fault{Err: of("42501")}, &state.SchemaError{}},
	} {
		for _, err := range errs {
			if got := remedy(fmt.Errorf("pause hook: %w", err)); !strings.HasPrefix(got, want) || (want == "") != (got == "") {
				t.Errorf("%v: %q, want %q", err, got, want)
			}
		}
	}
}

// TestMissingColumnIsNamed: a table that is not Label Studio's makes a program that
// has streamed wait, not ready, for the reason that names it, and nothing is confirmed.
func TestMissingColumnIsNamed(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	db.Exec(t, "ALTER TABLE task_completion RENAME COLUMN updated_at TO changed_at")
	setUpOnce(t, db)
	p := startTuned(t, relay.Tuning{DueLimit: 100 * time.Millisecond}, []string{"run"}, proctest.RoleEnviron(db))
	db.Exec(t, strings.Replace(annotate, "updated_at, prediction", "changed_at, prediction", 1), 7)
	p.err.Find(t, `level=ERROR .*(task_completion.*updated_at)`, p.ended)
	p.unready(t, "updated_at")
	if got := db.QueryText(t, "SELECT count(*) FROM task_completion WHERE id > 12"); got != "1" {
		t.Fatalf("annotations = %s", got)
	}
	db.Exec(t, "ALTER TABLE task_completion RENAME COLUMN changed_at TO updated_at")
}

// TestBadHookIsRefusedAndOthersFlow: a row that cannot be sent to is refused
// with the reason and counted.
func TestBadHookIsRefusedAndOthersFlow(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	c := receive(t, db)
	bad := map[string]string{
		"21": `'ht!tp://secret:word@nowhere/', '{}'`,
		"22": `'http://127.0.0.1:1/', '["a list"]'`,
		"23": `'http://127.0.0.1:1/', '{"X-Number": 7}'`,
		"24": `'http://127.0.0.1:1/', '{"a":"1","b":"2","c":"3","d":"4","e":"5","f":"6","g":"7","h":"8","i":"9","j":"10","k":"11"}'`,
		"25": `'http://127.0.0.1:1/', '{"Host": "elsewhere"}'`,
		"26": `'http://127.0.0.1:1/', '{"X-Split": "a\r\nX-Other: b"}'`,
	}
	for id, row := range bad {
		db.Exec(t, `INSERT INTO webhook (id, url, headers, organization_id, project_id, send_payload, send_for_all_actions, is_active, created_at, updated_at)
			VALUES (`+id+`, `+row+`, 1, 1, true, true, true, '2026-01-01', now())`)
	}
	p := start(t, db, "HOOKTAIL_SETTLE=0")
	db.Exec(t, annotate, 7)
	delivered(t, db) // the refused ones do not hold the slot
	good := 0
	for _, r := range c.Take() {
		if r.Hook == 1 {
			good++
		}
	}
	if good != 1 {
		t.Errorf("hook 1 got %d requests, want 1", good)
	}
	_, metrics := p.get(t, "/metrics")
	for id := range bad {
		if want := `hooktail_deliveries_total{action="ANNOTATION_CREATED",hook="` + id + `",outcome="dead"} 1`; !strings.Contains(metrics, want) {
			t.Errorf("not counted: %s", want)
		}
	}
	if log := p.err.String(); strings.Contains(log, "word@") {
		t.Errorf("the log shows a URL's password:\n%s", log)
	}
	code, stdout, stderr := command(proctest.RoleEnviron(db), "hooks", "list")
	if code != exitDone {
		t.Fatalf("hooks list: exit code %d: %s", code, stderr)
	}
	for id := range bad {
		if !strings.Contains(stdout, id) {
			t.Errorf("hooks list does not show hook %s:\n%s", id, stdout)
		}
	}
}
