package state_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/dispatch/state"
)

// shape is all that the catalog says of the schema's tables.
func shape(t *testing.T, db *cdctest.Database) string {
	t.Helper()
	return db.QueryText(t, `SELECT string_agg(line, E'\n' ORDER BY line) FROM (
		SELECT format('%s.%s %s %s %s %s %s', c.relname, attname, atttypid::regtype, attnotnull, attcompression, attstorage, pg_get_expr(adbin, adrelid)) AS line
			FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
			WHERE relnamespace = $1::text::regnamespace AND relkind = 'r' AND attnum > 0
		UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class c ON c.oid = indrelid WHERE relnamespace = $1::text::regnamespace
		UNION ALL SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = $1::text::regnamespace
		UNION ALL SELECT relname || ' ' || array_to_string(reloptions, ' ') FROM pg_class WHERE relnamespace = $1::text::regnamespace AND relkind = 'r'
		) AS lines`, `"Hook""tail"`)
}

// TestPrintedStatementsAreTheMigration: what setup prints makes the same tables,
// after which there is nothing left to migrate.
func TestPrintedStatementsAreTheMigration(t *testing.T) {
	t.Parallel()
	byHand := cdctest.Postgres(t).Database(t)
	conn := byHand.Connect(t)
	for _, statement := range state.Statements(schema) {
		if !strings.HasSuffix(statement, ";") {
			t.Errorf("no semicolon at the end of %q", statement)
		}
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if err := state.Check(t.Context(), conn, schema); err != nil {
		t.Error(err)
	}
	if err := state.Migrate(t.Context(), conn, schema); err != nil {
		t.Error(err)
	}
	byProgram := migrated(t)
	if diff := cmp.Diff(shape(t, byProgram), shape(t, byHand)); diff != "" {
		t.Errorf("tables (-migrated +printed):\n%s", diff)
	}
	const versions = `SELECT string_agg(version_id || ' ' || is_applied, ', ' ORDER BY id) FROM {}.migration`
	if a, b := count(t, byProgram, versions), count(t, byHand, versions); a != b || !strings.HasPrefix(a, "0 true, 1 true") {
		t.Errorf("versions: %q migrated, %q printed", a, b)
	}
}

func TestMigrateTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	park(t, newStore(t, db), 1, 0, 1)
	before := shape(t, db)
	if err := state.Migrate(t.Context(), db.Connect(t), schema); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, shape(t, db)); diff != "" {
		t.Errorf("tables (-before +after):\n%s", diff)
	}
	if got := count(t, db, `SELECT count(*) FROM {}.parked`); got != "1" {
		t.Errorf("%s rows are left of 1", got)
	}
}

func TestMigrateConcurrently(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).Database(t)
	var wg sync.WaitGroup
	errs := make(chan error, 8)
	for range cap(errs) {
		conn := db.Connect(t)
		wg.Go(func() { errs <- state.Migrate(t.Context(), conn, schema) })
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	if got := count(t, db, `SELECT count(*) FROM {}.migration WHERE version_id = $1`, state.Newest()); got != "1" {
		t.Errorf("the newest migration ran %s times", got)
	}
	if got := db.QueryText(t, `SELECT count(*) FROM pg_locks JOIN pg_database ON oid = database WHERE locktype = 'advisory' AND datname = current_database()`); got != "0" {
		t.Errorf("%s locks are left", got)
	}
}

// TestMigrateFailsAsAWhole: a migration that cannot be made leaves no part of
// its tables, and works once its obstacle is gone.
func TestMigrateFailsAsAWhole(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).Database(t)
	db.Exec(t, `CREATE SCHEMA "Hook""tail"`)
	db.Exec(t, `CREATE TABLE "Hook""tail".position ()`)
	conn := db.Connect(t)
	if err := state.Migrate(t.Context(), conn, schema); err == nil {
		t.Fatal("no error")
	}
	if got := count(t, db, `SELECT coalesce(to_regclass('{}.parked')::text, 'none')`); got != "none" {
		t.Errorf("table %s is there", got)
	}
	db.Exec(t, `DROP TABLE "Hook""tail".position`)
	if err := state.Migrate(t.Context(), conn, schema); err != nil {
		t.Error(err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change string
		want   *state.SchemaError // less Role
		words  []string
	}{
		{"as it should be", `SELECT`, nil, nil},
		{
			"no schema", `DROP SCHEMA "Hook""tail" CASCADE`,
			&state.SchemaError{Schema: schema, Fault: state.SchemaMissing, Want: state.Newest()},
			[]string{"`hooktail setup`"},
		},
		{
			"no tables", `DROP TABLE "Hook""tail".migration`,
			&state.SchemaError{Schema: schema, Fault: state.SchemaMissing, Want: state.Newest()},
			[]string{"`hooktail setup`"},
		},
		{
			"none has run", `DELETE FROM "Hook""tail".migration WHERE version_id > 0`,
			&state.SchemaError{Schema: schema, Fault: state.SchemaMissing, Want: state.Newest()},
			[]string{"`hooktail setup`"},
		},
		{
			"newer", `INSERT INTO "Hook""tail".migration (version_id, is_applied) VALUES (1000, true)`,
			&state.SchemaError{Schema: schema, Fault: state.SchemaNewer, Have: 1000, Want: state.Newest()},
			[]string{"version 1000", "newer than this hooktail"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			db := migrated(t)
			db.Exec(t, tt.change)
			err := state.Check(t.Context(), db.Connect(t), schema)
			got, _ := errors.AsType[*state.SchemaError](err)
			if (err == nil) != (tt.want == nil) {
				t.Fatalf("error %v", err)
			}
			if err == nil {
				return
			}
			for _, words := range tt.words {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("%q does not say %q", err, words)
				}
			}
			if got.Role != "" || strings.Contains(err.Error(), "GRANT") {
				t.Errorf("a superuser is told to grant something: %q", err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCheckNamesTheRole: a role that is no superuser is told what it needs after setup.
func TestCheckNamesTheRole(t *testing.T) {
	t.Parallel()
	conn := cdctest.Postgres(t).Database(t).Connect(t)
	if _, err := conn.Exec(t.Context(), "SET ROLE pg_monitor"); err != nil {
		t.Fatal(err)
	}
	if err := state.Check(t.Context(), conn, schema); err == nil || !strings.Contains(err.Error(), `GRANT USAGE ON SCHEMA "Hook""tail" TO "pg_monitor"`) {
		t.Errorf("error %v", err)
	}
}

func TestOlderSchemaIsToldApart(t *testing.T) {
	t.Parallel()
	err := &state.SchemaError{Schema: "hooktail", Fault: state.SchemaOlder, Have: 1, Want: 2, Role: "sidecar"}
	const want = "the tables in schema \"hooktail\" have version 1, older than 2, which this hooktail needs: run `hooktail setup` as their owner, and after that " +
		`GRANT USAGE ON SCHEMA "hooktail" TO "sidecar"; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "hooktail" TO "sidecar";`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
}

func TestNewerTablesAreNotMigrated(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	db.Exec(t, `INSERT INTO "Hook""tail".migration (version_id, is_applied) VALUES (1000, true)`)
	err := state.Migrate(t.Context(), db.Connect(t), schema)
	if fault, ok := errors.AsType[*state.SchemaError](err); !ok || fault.Fault != state.SchemaNewer {
		t.Errorf("error %v", err)
	}
}

// TestLeastPrivilege: a role that may do nothing but what Grants says runs the
// whole of a Store; before that, Check says what it lacks.
func TestLeastPrivilege(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	role := "plain_" + db.Name
	db.Exec(t, "CREATE ROLE "+role+" LOGIN")
	t.Cleanup(func() {
		db.Exec(t, "DROP OWNED BY "+role)
		db.Exec(t, "DROP ROLE "+role)
	})
	db.Exec(t, "REVOKE ALL ON DATABASE "+db.Name+" FROM PUBLIC")
	db.Exec(t, "GRANT CONNECT ON DATABASE "+db.Name+" TO "+role)
	pool := openPool(t, strings.Replace(db.DSN, "postgres@", role+"@", 1))
	denied := func(step string) {
		t.Helper()
		err := state.Check(t.Context(), pool, schema)
		fault, ok := errors.AsType[*state.SchemaError](err)
		if !ok || fault.Fault != state.SchemaDenied || fault.Role != role || !strings.Contains(err.Error(), "GRANT SELECT, INSERT, UPDATE, DELETE") {
			t.Errorf("%s: error %v", step, err)
		}
	}
	denied("no privilege")
	db.Exec(t, `GRANT USAGE ON SCHEMA "Hook""tail" TO `+role)
	denied("schema alone")
	db.Exec(t, `GRANT SELECT, INSERT, DELETE ON ALL TABLES IN SCHEMA "Hook""tail" TO `+role)
	denied("no update")
	for _, grant := range state.Grants(schema, role) {
		db.Exec(t, grant)
	}
	if err := state.Check(t.Context(), pool, schema); err != nil {
		t.Fatal(err)
	}

	store := state.New(state.Options{Pool: pool, Schema: schema})
	mixed(t, store)
	apply(t, store, state.Batch{Update: []state.Attempt{{Key: delivery(1, 0).Key}}, Delete: []state.Key{delivery(1, 1).Key}})
	if n, err := store.Redrive(t.Context(), state.Filter{Limit: 1}, false); err != nil || n != 1 {
		t.Errorf("redriven %d, error %v", n, err)
	}
	if _, err := store.Backlogs(t.Context()); err != nil {
		t.Error(err)
	}
	if err := store.Pause(t.Context(), 1); err != nil {
		t.Error(err)
	}
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	if err := state.Migrate(t.Context(), conn.Conn(), schema); err != nil {
		t.Errorf("migrate what is there already: %v", err)
	}
}

func TestDrop(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	conn := db.Connect(t)
	for range 2 { // the second time there is nothing
		if err := state.Drop(t.Context(), conn, schema); err != nil {
			t.Fatal(err)
		}
		if got := db.QueryText(t, `SELECT count(*) FROM pg_namespace WHERE nspname = $1`, schema); got != "0" {
			t.Error("the schema is left")
		}
	}
	for _, shared := range []string{schema, "public"} {
		if err := state.Migrate(t.Context(), conn, shared); err != nil {
			t.Fatal(err)
		}
		if shared == schema {
			db.Exec(t, `CREATE TABLE "Hook""tail".mine ()`)
		}
		if err := state.Drop(t.Context(), conn, shared); err != nil {
			t.Fatal(err)
		}
	}
	if got := db.QueryText(t, `SELECT string_agg(nspname || '.' || relname, ' ') FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
		WHERE nspname IN ($1, 'public')`, schema); got != schema+".mine" {
		t.Errorf("relations left: %q", got)
	}
	if got := db.QueryText(t, `SELECT count(*) FROM pg_namespace WHERE nspname = 'public'`); got != "1" {
		t.Error("public is gone")
	}
}
