//go:build long

package doctor_test

import (
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cmd/hooktail/internal/doctor"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestMoreIllnesses is TestIllnesses with the others.
func TestMoreIllnesses(t *testing.T) {
	t.Parallel()
	found(t, healthy, moreIllnesses())
	found(t, healthySince15, moreNarrowed())
}

func moreNarrowed() []illness {
	const failure = doctor.Failure
	return []illness{
		{
			"column list of all columns", sql("ALTER PUBLICATION hooktail DROP TABLE webhook_action", "ALTER PUBLICATION hooktail ADD TABLE webhook_action (id, webhook_id, action)"),
			"publication", failure, "column list for table public.webhook_action", "hooktail repair", false,
		},
		{
			"row filter, and nothing was read", sql("DELETE FROM hooktail.position", "ALTER PUBLICATION hooktail DROP TABLE task_completion", "ALTER PUBLICATION hooktail ADD TABLE task_completion WHERE (NOT was_cancelled)"),
			"publication", failure, "row filter on table public.task_completion", "ADD TABLE", false,
		},
	}
}

func moreIllnesses() []illness {
	const failure, warning, note = doctor.Failure, doctor.Warning, doctor.Note
	return []illness{
		{"table not granted", sql("REVOKE SELECT ON task FROM hooktail"), "privileges", failure, "may not read id, data", "GRANT SELECT", false},
		{"schema not granted", sql("REVOKE USAGE ON SCHEMA public FROM public, hooktail"), "privileges", failure, "may not use schema public", "GRANT USAGE", false},
		{"time-out of the role", sql("ALTER ROLE hooktail IN DATABASE SLOT SET statement_timeout = '300ms'"), "settings", note, "statement_timeout = 300ms is set for role hooktail in database", "RESET", true},
		{"time-out of the database", sql("ALTER DATABASE SLOT SET lock_timeout = '1s'"), "settings", note, "lock_timeout = 1s is set for database", "RESET", true},
		{"role of the role", sql("ALTER ROLE hooktail IN DATABASE SLOT SET role = hooktail"), "settings", note, "sessions act as that role", "RESET", true},
		{
			"role of the connection string", func(_ *testing.T, p *patient) {
				p.variables = []string{"HOOKTAIL_DATABASE_URL=" + proctest.RoleDSN(p.db) + "&role=hooktail"}
			}, "settings", note, "role = hooktail is set in HOOKTAIL_DATABASE_URL", "remove the parameter role", true,
		},
		{"column missing", sql("ALTER TABLE task_completion RENAME COLUMN was_cancelled TO skipped"), "columns", failure, "task_completion has no column was_cancelled", "HOOKTAIL_", true},

		{"identity default", sql("ALTER TABLE project REPLICA IDENTITY DEFAULT"), "replica_identity", note, "public.project is not set to REPLICA IDENTITY FULL", "REPLICA IDENTITY FULL;", false},

		{"own tables newer", sql("INSERT INTO hooktail.migration (version_id, is_applied) VALUES (999, true)"), "state_schema", failure, "version 999, newer", "newer hooktail", true},
		{"own tables not granted", sql("REVOKE DELETE ON hooktail.parked FROM hooktail"), "state_schema", failure, "may not use the tables", "GRANT", false},
		{
			"another server", sql("UPDATE hooktail.position SET system_id = '1'"),
			"position", failure, "system identifier", "hooktail", true,
		},

		{"operation not published", sql("ALTER PUBLICATION hooktail SET (publish = 'insert, update, truncate')"), "publication", failure, "lacks operation delete", "hooktail repair", false},
		{"truncate not published", sql("ALTER PUBLICATION hooktail SET (publish = 'insert, update, delete')"), "publication", failure, "lacks operation truncate", "hooktail repair", false},
		{"all tables published", sql("DROP PUBLICATION hooktail", "CREATE PUBLICATION hooktail FOR ALL TABLES"), "publication", note, "all tables of the database", "DROP PUBLICATION", false},
		{
			"partitioned", sql("ALTER PUBLICATION hooktail DROP TABLE webhook_action", "DROP TABLE webhook_action",
				"CREATE TABLE webhook_action (id integer PRIMARY KEY, webhook_id integer, action text) PARTITION BY RANGE (id)",
				"CREATE TABLE webhook_action_1 PARTITION OF webhook_action DEFAULT", "GRANT SELECT ON webhook_action TO hooktail",
				"ALTER PUBLICATION hooktail ADD TABLE webhook_action"),
			"publication", failure, "table public.webhook_action as its partitions", "hooktail repair", false,
		},
		{
			"partition without full identity", sql("DELETE FROM hooktail.position", "CREATE TABLE parted (LIKE task_completion) PARTITION BY RANGE (id)", "CREATE TABLE parted_1 PARTITION OF parted DEFAULT",
				"DROP TABLE task_completion CASCADE", "ALTER TABLE parted RENAME TO task_completion", "ALTER TABLE task_completion ADD PRIMARY KEY (id)",
				"ALTER TABLE task_completion REPLICA IDENTITY FULL", "GRANT SELECT ON task_completion TO hooktail",
				"ALTER PUBLICATION hooktail SET (publish_via_partition_root = true)", "ALTER PUBLICATION hooktail ADD TABLE task_completion"),
			"replica_identity", warning, "partition public.parted_1 of table public.task_completion", "hooktail setup", false,
		},
		{
			"inherited", sql("CREATE TABLE task_archive () INHERITS (task)"), "publication_contents", warning, "public.task has tables that inherit from it", "INHERIT", true,
		},
		{
			"publication younger than the slot", sql("DROP PUBLICATION hooktail", "CREATE PUBLICATION hooktail FOR TABLE project, task, task_completion, webhook, webhook_action, hooktail.hook_setting"),
			"publication_age", note, "publication hooktail", "pg_drop_replication_slot", true,
		},

		{
			"slot of another plugin", sql("SELECT pg_drop_replication_slot('SLOT')", "SELECT pg_create_logical_replication_slot('SLOT', 'test_decoding')"),
			"slot", failure, "test_decoding", "another name", true,
		},

		{"bad header", sql(`UPDATE webhook SET headers = '{"Host": "x"}' WHERE id = 3`), "hooks", warning, `header "Host"`, "redrive --hook 3", true},
		{
			"too many headers", sql(`UPDATE webhook SET headers = (SELECT jsonb_object_agg('X-' || n, 'v') FROM generate_series(1, 11) n) WHERE id = 3`),
			"hooks", warning, "11 headers: at most 10", "redrive --hook 3", true,
		},
		{
			"adopted and not served", func(t *testing.T, p *patient) {
				t.Helper()
				sql("UPDATE webhook SET is_active = false WHERE id = 2", "INSERT INTO hooktail.hook_setting (hook_id, adopted) VALUES (2, true)")(t, p)
				p.variables = []string{"HOOKTAIL_DELIVER=active"}
			}, "hooks", warning, "hook 2 is adopted", "hooktail hooks release 2", true,
		},
		{"action of the other profile", sql("UPDATE webhook_action SET action = 'TASKS_DELETED' WHERE id = (SELECT min(id) FROM webhook_action)"), "hook_actions", note, "TASKS_DELETED", "HOOKTAIL_PROFILE=native", true},
		{"no action", sql("UPDATE webhook SET send_for_all_actions = false WHERE id = 9"), "hook_actions", note, "hook 9 has no actions", "choose", true},
		{"custom events, the function is gone", emitting("DROP FUNCTION hooktail.emit"), "custom_events", warning, "does not exist, and its secret does", "hooktail setup --custom-events", false},
		{"custom events, changed", emitting("ALTER FUNCTION hooktail.emit RESET search_path"), "custom_events", warning, "not the one that this hooktail creates", "hooktail setup --custom-events", false},
		{"custom events, the secret is gone", emitting("DROP TABLE hooktail.emit_secret CASCADE"), "custom_events", failure, "the secret of the function hooktail.emit does not exist", "hooktail setup --custom-events", false},
		{"custom events, the secret granted", emitting("GRANT SELECT ON hooktail.emit_secret TO pg_monitor"), "custom_events", warning, "pg_monitor may read the secret", "REVOKE SELECT", false},
		{
			"task events, not set up", sql("INSERT INTO hooktail.hook_setting (hook_id, events_added) VALUES (1, '{TASK_REOPENED}')"),
			"task_events", warning, "hook 1 lists TASK_REOPENED, and table public.task is not set to REPLICA IDENTITY FULL", "hooktail setup --task-events", false,
		},
		{
			"secret without key", sql(`INSERT INTO hooktail.hook_setting (hook_id, secrets) VALUES (1, ARRAY['\x01'::bytea])`),
			"secrets", failure, "secret of hook 1", "HOOKTAIL_SECRET_KEY", true,
		},

		{"failures are counted", sql("ALTER TABLE webhook ADD COLUMN consecutive_failures integer"), "failure_counter", note, "Label Studio may deactivate hooks", "hooktail hooks adopt --all", true},
		{"a row that cannot be read", sql("ALTER TABLE webhook ALTER COLUMN send_payload DROP NOT NULL", "UPDATE webhook SET send_payload = NULL WHERE id = 3"), "hooks", warning, "hook 3 cannot be served: column send_payload is null", "correct the row", true},
		{"receiver's name unknown", sql("UPDATE webhook SET url = 'http://nowhere.invalid/x' WHERE id = 1"), "egress", warning, "look up nowhere.invalid", "hooktail hooks ping 1", true},
		{"receiver forbidden", with("HOOKTAIL_EGRESS=public"), "egress", warning, "forbidden by the egress policy", "HOOKTAIL_EGRESS", true},
		{"receiver without TLS", sql("UPDATE webhook SET url = replace(url, 'http:', 'https:') WHERE id = 1"), "egress", warning, "does not speak TLS", "hooktail hooks ping 1", true},
		{"proxy away", with("HOOKTAIL_PROXY=http://127.0.0.1:1"), "egress", warning, "proxy does not accept connections", "hooktail hooks ping", true},
	}
}

// TestEveryGrantIsNeededAndMissed: without any one of the privileges on tables that
// deploy/role.sql grants, something is found.
func TestEveryGrantIsNeededAndMissed(t *testing.T) {
	t.Parallel()
	p := healthy(t)
	always := []string{"server_version", "publication_age", "transactions"}
	if ill := told(p.examine(t), always...); len(ill) > 0 {
		t.Fatalf("not healthy: %+v", ill)
	}
	grants := p.db.QueryText(t, `SELECT string_agg(DISTINCT acl.privilege_type || ' ON ' || c.oid::regclass, ';')
		FROM pg_class c, aclexplode(c.relacl) acl WHERE acl.grantee = 'hooktail'::regrole AND NOT (c.oid = 'hooktail.migration'::regclass AND acl.privilege_type <> 'SELECT')`)
	tried := 0
	for grant := range strings.SplitSeq(grants, ";") {
		tried++
		p.db.Exec(t, "REVOKE "+grant+" FROM hooktail")
		if ill := told(p.examine(t), always...); len(ill) == 0 {
			t.Errorf("nothing is found without %s", grant)
		}
		p.db.Exec(t, "GRANT "+grant+" TO hooktail")
	}
	if tried < 20 {
		t.Errorf("only %d grants were found: %s", tried, grants)
	}
}
