package state_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/dispatch/state"
)

// copied is a copy of the database, as CREATE DATABASE makes one, and a restored dump
// looks like one.
func copied(t *testing.T, db *cdctest.Database) *cdctest.Database {
	t.Helper()
	other := db.At(db.Name+"_copy", strings.Replace(db.DSN, db.Name, db.Name+"_copy", 1))
	admin := cdctest.Postgres(t).Database(t)
	admin.Exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", db.Name)
	admin.Exec(t, "CREATE DATABASE "+other.Name+" TEMPLATE "+db.Name)
	t.Cleanup(func() { admin.Exec(t, "DROP DATABASE "+other.Name+" WITH (FORCE)") })
	return other
}

func isCopy(t *testing.T, db *cdctest.Database) bool {
	t.Helper()
	err := newStore(t, db).CheckCopy(t.Context())
	fault, ok := errors.AsType[*state.CopyError](err)
	if !ok && err != nil {
		t.Fatal(err)
	}
	if ok && (fault.Parked != 3 || !strings.Contains(err.Error(), "--keep-parked") || !strings.Contains(err.Error(), "--forget-parked")) {
		t.Errorf("message %q of %+v", err, fault)
	}
	return ok
}

// TestCopyIsNoticed: tables with parked deliveries that were copied are told apart from
// those that are still where they were made, until somebody decides.
func TestCopyIsNoticed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change string // of the tables
		parked int
		copy   bool
		want   bool
	}{
		{"at home", `SELECT`, 3, false, false},
		{"copied", `SELECT`, 3, true, true},
		{"copied with nothing parked", `SELECT`, 0, true, false},
		{"another server", `UPDATE {}.identity SET system_id = '1'`, 3, false, true},
		{"a server that cannot be known", `UPDATE {}.identity SET system_id = ''`, 3, false, false},
		{"the same under another name", `UPDATE {}.identity SET name = 'before'`, 3, false, false},
		{"emptied by hand", `TRUNCATE {}.identity`, 3, false, false},
		{"written by hand", `UPDATE {}.identity SET system_id = '', database = -9223372036854775808, name = '', noted_at = '-infinity'`, 3, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			db := cdctest.Postgres(t).Database(t)
			conn := db.Connect(t)
			if err := state.Migrate(t.Context(), conn, schema); err != nil {
				t.Fatal(err)
			}
			for n := range tt.parked {
				db.Exec(t, strings.ReplaceAll(`INSERT INTO {}.parked (hook_id, commit_lsn, ordinal, timeline, event_id, action, project_id, task_id, committed_at, body, bytes, added_at)
					VALUES (1, '0/1', $1, 1, '', '', 1, 1, now(), '{}', 2, now())`, "{}.", `"Hook""tail".`), n)
			}
			db.Exec(t, strings.ReplaceAll(tt.change, "{}", `"Hook""tail"`))
			if tt.copy {
				if err := conn.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				db = copied(t, db)
			}
			for range 2 { // looking decides nothing
				if got := isCopy(t, db); got != tt.want {
					t.Fatalf("a copy: %t, want %t", got, tt.want)
				}
			}
			if err := newStore(t, db).KeepParked(t.Context()); err != nil {
				t.Fatal(err)
			}
			if isCopy(t, db) || count(t, db, `SELECT count(*) FROM {}.parked`) != count(t, db, `SELECT $1::int::text`, tt.parked) {
				t.Error("not kept")
			}
		})
	}
}

func TestForgetParked(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	store := newStore(t, db)
	mixed(t, store)
	all := count(t, db, `SELECT count(*) FROM {}.parked`)
	db.Exec(t, `UPDATE "Hook""tail".identity SET database = 1`)
	n, err := store.ForgetParked(t.Context())
	if err != nil || count(t, db, `SELECT $1::bigint::text`, n) != all {
		t.Errorf("%d of %s forgotten: %v", n, all, err)
	}
	if isCopy(t, db) || count(t, db, `SELECT count(*) FROM {}.parked`) != "0" {
		t.Error("not forgotten")
	}
}

// downgrade makes the tables those of version 1.
func downgrade(t *testing.T, db *cdctest.Database) {
	t.Helper()
	for _, statement := range []string{
		`DROP TABLE {}.identity, {}.hook_seen, {}.done, {}.log_partition, {}.log_body, {}.log_stream`, `ALTER TABLE {}.hook_setting DROP COLUMN retry_at, DROP COLUMN gone_at, DROP COLUMN held_until,
			DROP COLUMN events_added, DROP COLUMN events_removed, DROP COLUMN filter, DROP COLUMN rate, DROP COLUMN format`,
		`DELETE FROM {}.migration WHERE version_id > 1`,
	} {
		db.Exec(t, strings.ReplaceAll(statement, "{}", `"Hook""tail"`))
	}
}

// TestUpgradeToIdentity: what is parked in tables of version 1 is sent after the upgrade
// where the slot that was read is still there, and whoever might use them still may.
func TestUpgradeToIdentity(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		slot string // that is there
		park bool
		want bool // is taken for a copy
	}{
		{"the slot is there", "hooktail", true, false},
		{"the slot is not there", "other", true, true},
		{"nothing is parked", "other", false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			db := migrated(t)
			if tt.park {
				park(t, newStore(t, db), 1, 0, 3)
			}
			role := "upgraded_" + db.Name
			db.Exec(t, "CREATE ROLE "+role)
			t.Cleanup(func() { db.Exec(t, "DROP OWNED BY "+role); db.Exec(t, "DROP ROLE "+role) })
			for _, grant := range state.Grants(schema, role) {
				db.Exec(t, grant)
			}
			downgrade(t, db)
			slot := tt.slot + "_" + db.Name
			db.Exec(t, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", slot)
			t.Cleanup(func() { db.Exec(t, "SELECT pg_drop_replication_slot($1)", slot) })
			db.Exec(t, `INSERT INTO "Hook""tail".position (slot, system_id, timeline, end_lsn, publication, clean)
				SELECT $1, system_identifier::text, 1, '0/1', '{}', true FROM pg_control_system()`, "hooktail_"+db.Name)
			if err := state.Migrate(t.Context(), db.Connect(t), schema); err != nil {
				t.Fatal(err)
			}
			if got := isCopy(t, db); got != tt.want {
				t.Errorf("a copy: %t, want %t", got, tt.want)
			}
			if got := count(t, db, `SELECT has_table_privilege($1, '{}.identity', 'INSERT') AND has_table_privilege($1, '{}.identity', 'SELECT')`, role); got != "t" {
				t.Errorf("the role has its privileges: %s", got)
			}
		})
	}
}
