//go:build long

package doctor_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/doctor"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestServerThatIsFull has no limit where there should be one, and too few of
// everything else.
func TestServerThatIsFull(t *testing.T) {
	t.Parallel()
	p := private(t, "", map[string]string{
		"max_slot_wal_keep_size": "-1", "max_replication_slots": "1", "max_wal_senders": "1", "max_connections": "12",
	})
	p.db.Exec(t, "ALTER ROLE hooktail CONNECTION LIMIT 5")
	check(t, p.examine(t),
		sign{"max_slot_wal_keep_size", doctor.Failure, "unlimited", "ALTER SYSTEM SET max_slot_wal_keep_size = '10GB'; SELECT pg_reload_conf();"},
		sign{"replication_slots", doctor.Note, "all 1 replication slots", "max_replication_slots = 2"},
		sign{"connections", doctor.Warning, "connections are free, hooktail opens up to", "max_connections"},
		sign{"connections", doctor.Warning, `role "hooktail" may have 5 connections`, `ALTER ROLE "hooktail" CONNECTION LIMIT`})

	config, err := pgconn.ParseConfig(p.db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	config.RuntimeParams["replication"] = "database"
	sender, err := pgconn.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sender.Close(context.Background()) })
	p.db.Exec(t, "SELECT pg_drop_replication_slot($1)", p.db.Name)
	p.db.Exec(t, "SELECT pg_create_physical_replication_slot('other')")
	check(t, p.examine(t),
		sign{"wal_senders", doctor.Failure, "all 1 WAL senders", "ALTER SYSTEM SET max_wal_senders = 3"},
		sign{"replication", doctor.Failure, "max_wal_senders", "WAL sender"},
		sign{"replication_slots", doctor.Failure, "all 1 replication slots", "ALTER SYSTEM SET max_replication_slots = 3"},
		sign{"slot", doctor.Failure, "does not exist", "hooktail repair"})
}

// TestServerThatCannotDecode has the wrong wal_level, and then becomes a standby.
func TestServerThatCannotDecode(t *testing.T) {
	t.Parallel()
	server := cdctest.Private(t, throwaway.Options{Settings: map[string]string{"wal_level": "replica"}})
	p := admit(t, server.LabelStudio(t))
	p.variables = []string{"HOOKTAIL_DATABASE_URL=" + p.db.DSN}
	check(t, p.examine(t), sign{"wal_level", doctor.Failure, "wal_level is replica", "ALTER SYSTEM SET wal_level = 'logical'"})

	signal := filepath.Join(p.db.QueryText(t, "SHOW data_directory"), "standby.signal")
	if err := os.WriteFile(signal, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	server.Restart(t, throwaway.Fast)
	check(t, p.examine(t), sign{"primary", doctor.Failure, "is a standby", "target_session_attrs=read-write"})
	if err := os.Remove(signal); err != nil {
		t.Fatal(err)
	}
	server.Restart(t, throwaway.Fast) // a database of a standby cannot be dropped
}

// TestSlotThatIsLost is seen on its way there.
func TestSlotThatIsLost(t *testing.T) {
	t.Parallel()
	p := private(t, "", map[string]string{"max_slot_wal_keep_size": "48MB", "min_wal_size": "32MB", "max_wal_size": "32MB"})
	write := func(megabytes int) {
		p.db.Exec(t, "SELECT count(pg_logical_emit_message(true, 'x', repeat('x', 1024 * 1024))) FROM generate_series(1, $1::int)", megabytes)
	}
	check(t, p.examine(t), sign{"max_slot_wal_keep_size", doctor.Warning, "only 48MB", "ALTER SYSTEM"})
	write(40)
	check(t, p.examine(t), sign{"slot", doctor.Warning, "not in use now", "start hooktail"})
	write(80)
	p.db.Exec(t, "CHECKPOINT")
	check(t, p.examine(t), sign{"slot", doctor.Failure, "are missing", "hooktail repair"})
}

// TestStandbys: what a promotion would do to the slot.
func TestStandbys(t *testing.T) {
	t.Parallel()
	old := private(t, "14", map[string]string{}) // whose standby other tests do not see
	old.db.Exec(t, "SELECT pg_create_physical_replication_slot('standby')")
	check(t, old.examine(t), sign{"failover", doctor.Warning, "does not synchronize the slot", "hooktail repair"})

	p := private(t, "17", map[string]string{})
	p.db.Exec(t, "SELECT pg_drop_replication_slot($1)", p.db.Name)
	p.db.Exec(t, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", p.db.Name)
	check(t, p.examine(t), sign{"failover", doctor.Note, "failover is false", "ALTER_REPLICATION_SLOT"})
	p.db.Exec(t, "SELECT pg_create_physical_replication_slot('standby')")
	check(t, p.examine(t), sign{"failover", doctor.Warning, "failover is false", "(FAILOVER true)"})
	p.db.Exec(t, "SELECT pg_drop_replication_slot($1)", p.db.Name)
	p.mend(t, doctor.Finding{Mend: "hooktail repair"})
	if _, err := p.db.Connect(t).Exec(t.Context(), "SELECT pg_create_physical_replication_slot('pg_basebackup_1', false, true)"); err != nil { // a slot that ends with its session
		t.Fatal(err)
	}
	f, _ := find(p.examine(t), "failover", "synchronized_standby_slots is empty")
	if f.Severity != doctor.Warning {
		t.Fatalf("finding %+v", f)
	}
	p.mend(t, f)
	proctest.WaitFor(t, settingIs(t, p.db, "synchronized_standby_slots", "standby"))
	check(t, p.examine(t), sign{"failover", doctor.OK, "the slot is synchronized", ""})
}

// TestSynchronous: the names count every WAL sender among the standbys.
func TestSynchronous(t *testing.T) {
	t.Parallel()
	p := private(t, "18", map[string]string{})
	const parameter, names = "synchronous_standby_names", "ANY 1 (*)"
	t.Cleanup(func() { p.db.Configure(t, parameter, "") }) // or the database could not be dropped
	p.db.Configure(t, parameter, names)
	proctest.WaitFor(t, settingIs(t, p.db, parameter, names))
	check(t, p.examine(t), sign{"synchronous_standby_names", doctor.Failure, "commits would wait for hooktail", "name the standbys alone"})
}

// TestPostgreSQL18 has two ways of its own to fall ill.
func TestPostgreSQL18(t *testing.T) {
	t.Parallel()
	p := private(t, "18", map[string]string{"idle_replication_slot_timeout": "1h"})
	p.db.Exec(t, "CREATE PUBLICATION other FOR TABLE project")
	check(t, p.examine(t),
		sign{"idle_replication_slot_timeout", doctor.Warning, "is 1h", "idle_replication_slot_timeout = 0"},
		sign{"replica_identity", doctor.Failure, "would stop all updates of table public.project: publication other", "publish_generated_columns"})
	p.db.Exec(t, "DROP PUBLICATION other")
	p.db.Exec(t, "ALTER PUBLICATION hooktail SET (publish_generated_columns = none)")
	check(t, p.examine(t), sign{"publication", doctor.Failure, "lacks generated columns", "hooktail setup"})
}

// TestOpenTransactions: the role may see that one is open, a superuser for how long.
func TestOpenTransactions(t *testing.T) {
	t.Parallel()
	p := private(t, "", map[string]string{"max_prepared_transactions": "2"})
	conn := p.db.Connect(t)
	for _, statement := range []string{"BEGIN", "SELECT pg_current_xact_id()", "PREPARE TRANSACTION 'it''s late'", "BEGIN", "SELECT pg_current_xact_id()"} {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	check(t, p.examine(t), sign{"transactions", doctor.Note, "the role may not see", "GRANT pg_read_all_stats"})
	findings := p.look(t, func(o *doctor.Options) { o.Long = 1 })
	check(t, findings, sign{"transactions", doctor.Warning, "has a transaction open for", "SELECT pg_terminate_backend("})
	f, _ := find(findings, "prepared_transactions", "it's late")
	if f.Severity != doctor.Warning {
		t.Fatalf("finding %+v", f)
	}
	p.mend(t, f)
	if n := p.db.QueryText(t, "SELECT count(*) FROM pg_prepared_xacts"); n != "0" {
		t.Errorf("%s prepared transactions after %s", n, f.Mend)
	}
	if err := conn.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// TestPooler: another process answers than the one that was connected to.
func TestPooler(t *testing.T) {
	t.Parallel()
	p := healthy(t)
	config, err := pgx.ParseConfig(p.db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	p.variables = []string{"HOOKTAIL_DATABASE_URL=postgres://hooktail@" + pooler(t, filepath.Join(config.Host, ".s.PGSQL.5432")) + "/" + p.db.Name + "?sslmode=disable"}
	check(t, p.examine(t), sign{"pooler", doctor.Warning, "pooler or proxy", "own host"})
}
