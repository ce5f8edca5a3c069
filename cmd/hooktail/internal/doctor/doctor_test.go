package doctor_test

import (
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/doctor"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestHealthySetUp: with the role of deploy/role.sql, and a hooktail that runs,
// nothing is found on any version, but that old ones have no failover slots.
func TestHealthySetUp(t *testing.T) {
	t.Parallel()
	for _, major := range []string{"14", "", "17", "18"} {
		t.Run("PostgreSQL "+major, func(t *testing.T) {
			t.Parallel()
			p := &patient{}
			expected := []string{"server_version"}
			switch major {
			case "":
				p = healthy(t)
				expected = append(expected, "publication_age", "transactions") // other tests write on this server
			default:
				p = private(t, major, map[string]string{})
			}
			if major >= "17" {
				expected = nil
			}
			for _, f := range told(p.examine(t), expected...) {
				t.Errorf("before the first run: %+v", f)
			}
			proctest.Run(t, p.db)
			findings := p.examine(t)
			for _, f := range told(findings, expected...) {
				t.Errorf("while hooktail runs: %+v", f)
			}
			if _, ok := find(findings, "slot", "read by server process"); !ok {
				t.Error("nobody is seen to read the slot")
			}
		})
	}
}

// TestIllnesses makes one fault after the other in a healthy patient, sees it found,
// and found no more after what the finding says has been done.
func TestIllnesses(t *testing.T) {
	t.Parallel()
	found(t, healthy, illnesses())
	found(t, healthySince15, narrowed())
}

// healthySince15 is a healthy patient whose publication may have lists of columns and row
// filters.
func healthySince15(t *testing.T) *patient {
	t.Helper()
	if cdctest.Postgres(t).Major(t) < 15 {
		return private(t, "15", map[string]string{})
	}
	return healthy(t)
}

func found(t *testing.T, patient func(*testing.T) *patient, illnesses []illness) {
	t.Helper()
	for _, test := range illnesses {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := patient(t)
			test.befalls(t, p)
			findings := p.examine(t)
			f, ok := find(findings, test.id, test.what)
			if !ok || f.Severity != test.severity {
				t.Fatalf("no %s of %s that says %q, but %+v", test.severity, test.id, test.what, told(findings))
			}
			if !strings.Contains(f.Mend, test.mend) {
				t.Errorf("mend %q, want %q in it", f.Mend, test.mend)
			}
			if test.incurable {
				return
			}
			p.mend(t, f)
			if f, ok := find(p.examine(t), test.id, test.what); ok {
				t.Errorf("still there after its mend: %+v", f)
			}
		})
	}
}

type illness struct {
	name     string
	befalls  func(t *testing.T, p *patient)
	id       string
	severity doctor.Severity
	what     string
	mend     string
	// incurable: what it says cannot be pasted.
	incurable bool
}

// sql is an illness that statements of the owner bring.
func sql(statements ...string) func(*testing.T, *patient) {
	return func(t *testing.T, p *patient) {
		t.Helper()
		for _, s := range statements {
			p.db.Exec(t, strings.ReplaceAll(s, "SLOT", p.db.Name))
		}
	}
}

// emitting is an illness of a patient with custom events.
func emitting(statements ...string) func(*testing.T, *patient) {
	return func(t *testing.T, p *patient) {
		t.Helper()
		p.mend(t, doctor.Finding{Mend: "hooktail setup --custom-events"})
		for _, f := range told(p.examine(t)) {
			if f.ID == "custom_events" {
				t.Errorf("before anything befalls: %+v", f)
			}
		}
		sql(statements...)(t, p)
	}
}

// with is an illness of the environment.
func with(variables ...string) func(*testing.T, *patient) {
	return func(_ *testing.T, p *patient) { p.variables = append(p.variables, variables...) }
}

func narrowed() []illness {
	const failure = doctor.Failure
	return []illness{
		{
			"column list", sql("ALTER PUBLICATION hooktail DROP TABLE webhook_action", "ALTER PUBLICATION hooktail ADD TABLE webhook_action (id)"),
			"publication", failure, "column list for table public.webhook_action", "hooktail repair", false,
		},
		{
			"row filter", sql("ALTER PUBLICATION hooktail DROP TABLE task_completion", "ALTER PUBLICATION hooktail ADD TABLE task_completion WHERE (NOT was_cancelled)"),
			"publication", failure, "row filter on table public.task_completion", "hooktail repair", false,
		},
	}
}

func illnesses() []illness {
	const failure, warning, note = doctor.Failure, doctor.Warning, doctor.Note
	return []illness{
		{"superuser", func(_ *testing.T, p *patient) { p.variables = []string{"HOOKTAIL_DATABASE_URL=" + p.db.DSN} }, "role", note, "superuser", "deploy/role.sql", true},
		{"table missing", with("HOOKTAIL_TASK_TABLE=tsak"), "tables", failure, "public.tsak", "names of the tables", true},
		{"column not granted", sql("REVOKE SELECT ON project FROM hooktail", "GRANT SELECT (id, title) ON project TO hooktail"), "privileges", failure, "table public.project", "GRANT SELECT", false},
		{
			"functions not granted", sql(`DO $$ DECLARE f regprocedure; BEGIN
				FOR f IN SELECT oid FROM pg_proc WHERE proname IN ('pg_logical_emit_message', 'pg_control_system', 'pg_notify') LOOP
					EXECUTE 'REVOKE EXECUTE ON FUNCTION ' || f || ' FROM PUBLIC';
				END LOOP; END $$`), "functions", failure, "may not call pg_control_system(), pg_logical_emit_message(boolean,text,bytea", "GRANT EXECUTE", false,
		},
		{"policies", sql("ALTER TABLE task ENABLE ROW LEVEL SECURITY"), "row_security", failure, "hide rows of table public.task", "BYPASSRLS", true},
		{"libraries of the database", sql("ALTER DATABASE SLOT SET dynamic_library_path = '/nowhere'"), "settings", warning, "dynamic_library_path", "RESET", false},
		{"hook's column missing", sql("ALTER TABLE webhook RENAME COLUMN send_payload TO payload"), "columns", failure, "webhook has no column send_payload", "HOOKTAIL_", true},

		{"identity nothing", sql("ALTER TABLE task REPLICA IDENTITY NOTHING"), "replica_identity", failure, "public.task has no replica identity", "REPLICA IDENTITY FULL;", false},
		{"no key", sql("ALTER TABLE webhook DROP CONSTRAINT webhook_pkey CASCADE"), "replica_identity", failure, "public.webhook has no replica identity", "REPLICA IDENTITY FULL;", false},

		{"own tables missing", sql("DROP SCHEMA hooktail CASCADE"), "state_schema", failure, "has no tables of hooktail", "hooktail setup", false},
		{"adopt not granted", sql("REVOKE UPDATE (is_active) ON webhook FROM hooktail"), "adopt_privilege", note, "may not deactivate hooks", "GRANT UPDATE (is_active)", false},

		{
			"another slot", sql("SELECT pg_create_logical_replication_slot('SLOT_old', 'pgoutput')",
				"INSERT INTO hooktail.position (slot, system_id, timeline, end_lsn, publication, clean) SELECT 'SLOT_old', '1', 1, '0/1', '{}', true"),
			"other_slots", warning, `_old" of this database`, "pg_drop_replication_slot", false,
		},
		{
			"another Label Studio", sql("SELECT pg_create_logical_replication_slot('SLOT_other', 'pgoutput')",
				`INSERT INTO hooktail.position (slot, system_id, timeline, end_lsn, publication, clean) SELECT 'SLOT_other', '1', 1, '0/1', '{"": "1", "other.webhook": "2/3"}', true`),
			"other_slots", failure, "also serve another Label Studio", "HOOKTAIL_STATE_SCHEMA", true,
		},
		{"publication missing", sql("DROP PUBLICATION hooktail"), "publication", failure, `"hooktail" does not exist`, "hooktail repair", false},
		{"table not published", sql("ALTER PUBLICATION hooktail DROP TABLE task"), "publication", failure, "lacks table public.task", "hooktail repair", false},

		{"slot missing", sql("SELECT pg_drop_replication_slot('SLOT')"), "slot", failure, "does not exist", "hooktail repair", false},

		{"bad URL", sql("UPDATE webhook SET url = 'ftp://x' WHERE id = 3"), "hooks", warning, "hook 3 cannot be served: url must begin with", "redrive --hook 3", true},
		{
			"filter that does not compile", sql("INSERT INTO hooktail.hook_setting (hook_id, filter, rate) VALUES (1, 'annotation.id =', '1/s')"),
			"hooks", warning, "hook 1 has settings that cannot be used: filter: line 1, column 15", "hooktail hooks set 1", true,
		},
		{"no hook", sql("UPDATE webhook SET is_active = false"), "hooks", note, "none of 10 hooks is served", "hooks list", true},
		{"unknown action", sql("UPDATE webhook_action SET action = 'LABEL_CHEWED' WHERE id = (SELECT min(id) FROM webhook_action)"), "hook_actions", warning, `"LABEL_CHEWED"`, "DELETE FROM", true},
		{"action of the application alone", sql("UPDATE webhook_action SET action = 'LABEL_LINK_UPDATED' WHERE id = (SELECT min(id) FROM webhook_action)"), "hook_actions", note, `LABEL_LINK_UPDATED, which only Label Studio makes`, "hooks release", true},
		{
			"custom events, not set up", sql("INSERT INTO hooktail.hook_setting (hook_id, events_added) VALUES (1, '{MODEL_OUTDATED}')"),
			"custom_events", warning, "hook 1 lists MODEL_OUTDATED, and the function hooktail.emit does not exist", "hooktail setup --custom-events", false,
		},
		{"custom events, by everybody", emitting("GRANT EXECUTE ON FUNCTION hooktail.emit TO PUBLIC"), "custom_events", warning, "every role may call", "REVOKE", false},
		{"custom events, the secret not granted", emitting("REVOKE SELECT ON hooktail.emit_secret FROM hooktail"), "custom_events", failure, `role "hooktail" may not read`, "GRANT SELECT", false},
		{"two alike", sql("UPDATE webhook SET url = (SELECT url FROM webhook WHERE id = 1), project_id = NULL, organization_id = 1, send_for_all_actions = true WHERE id = 2"), "duplicate_hooks", warning, "hooks 1 and 2", "is_active = false", true},
		{
			"secret of another key", func(t *testing.T, p *patient) {
				t.Helper()
				sql(`INSERT INTO hooktail.hook_setting (hook_id, secrets) VALUES (1, ARRAY['\x01'::bytea])`)(t, p)
				p.variables = []string{"HOOKTAIL_SECRET_KEY=" + strings.Repeat("ab", 32)}
			}, "secrets", warning, "secret of hook 1", "hooktail hooks secret set 1", true,
		},
		{"two senders", func(t *testing.T, p *patient) { t.Helper(); p.db.Connect(t) }, "double_sender", warning, "active in Label Studio too", "hooktail hooks adopt --all", true},

		{"receiver away", func(_ *testing.T, p *patient) { p.receiver.Close() }, "egress", warning, "connection refused", "hooktail hooks ping", true},
		{
			"receiver redirects", sql(`INSERT INTO hooktail.parked (hook_id, commit_lsn, timeline, ordinal, state, action, project_id, task_id, event_id, committed_at, body, bytes, attempts, last_result, last_status, added_at)
				VALUES (1, '0/1', 1, 0, 'parked', 'PROJECT_UPDATED', 1, 0, '1-1-0', now(), '', 0, 1, '3xx', 308, now())`),
			"redirects", warning, "redirects to another place", "hooktail hooks ping 1", true,
		},
	}
}

// sign is a finding that has to be there.
type sign struct {
	id       string
	severity doctor.Severity
	what     string
	mend     string
}

// check holds the findings against the signs.
func check(t *testing.T, findings []doctor.Finding, signs ...sign) {
	t.Helper()
	for _, s := range signs {
		f, ok := find(findings, s.id, s.what)
		if !ok || f.Severity != s.severity || !strings.Contains(f.Mend, s.mend) {
			t.Errorf("want %+v, got %+v of %+v", s, f, told(findings))
		}
	}
}
