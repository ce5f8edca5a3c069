package state_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// sources are small tables that stand for the application's.
var sources = state.EmitSources{Project: state.Table{Schema: "public", Name: "Pro ject"}, Task: state.Table{Schema: "public", Name: "task"}}

// emitting is a database in which custom events were set up, with project 1 and its tasks 7
// and 8, and task 9 of another project.
func emitting(t *testing.T) *cdctest.Database {
	t.Helper()
	db := migrated(t)
	db.Exec(t, `CREATE TABLE "Pro ject" (id integer PRIMARY KEY)`)
	db.Exec(t, `CREATE TABLE task (id bigint PRIMARY KEY, project_id integer)`)
	db.Exec(t, `INSERT INTO "Pro ject" VALUES (1), (2)`)
	db.Exec(t, `INSERT INTO task VALUES (7, 1), (8, 1), (9, 2), (10, NULL)`)
	if ran := setUpEmit(t, db); len(ran) == 0 {
		t.Fatal("nothing was set up")
	}
	return db
}

func setUpEmit(t *testing.T, db *cdctest.Database) []string {
	t.Helper()
	ran, err := state.SetUpEmit(t.Context(), db.Connect(t), schema, sources, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	return ran
}

// quoted is the schema as SQL has it.
var quoted = pgx.Identifier{schema}.Sanitize()

// TestEmitRefuses: a fault is an error of the caller's transaction that says what is wrong.
func TestEmitRefuses(t *testing.T) {
	t.Parallel()
	db := emitting(t)
	conn := db.Connect(t)
	for _, tt := range []struct{ name, arguments, want string }{
		{"small letters", `'model', 1, '{}'`, `'model' is no name of an action`},
		{"digit first", `'1MODEL', 1, '{}'`, `is no name of an action`},
		{"umlaut", `'MÖDEL', 1, '{}'`, `is no name of an action`},
		{"line", `E'MODEL\n', 1, '{}'`, `is no name of an action`},
		{"empty", `'', 1, '{}'`, `is no name of an action`},
		{"65 letters", `repeat('A', 65), 1, '{}'`, `is no name of an action`},
		{"no action", `NULL, 1, '{}'`, `NULL is no name of an action`},
		{"of the guide", `'TASK_CREATED', 1, '{}'`, `action TASK_CREATED is reserved`},
		{"of the application", `'ANNOTATIONS_CREATED', 1, '{}'`, `is reserved`},
		{"of other tables", `'LABEL_LINK_CREATED', 1, '{}'`, `is reserved`},
		{"of hooktail", `'TASK_COMPLETED', 1, '{}'`, `is reserved`},
		{"no payload", `'MODEL', 1, NULL`, `payload is NULL`},
		{"no project", `'MODEL', NULL, '{}'`, `project is NULL`},
		{"unknown project", `'MODEL', 3, '{}'`, `project 3 does not exist`},
		{"task of another project", `'MODEL', 1, '{}', 9`, `task 9 belongs to project 2, not to project 1`},
		{"large payload", `'MODEL', 1, to_jsonb(repeat('x', 1048575))`, `payload has 1048577 bytes, more than 1 MiB`},
	} {
		_, err := conn.Exec(t.Context(), "SELECT "+quoted+".emit("+tt.arguments+")", pgx.QueryExecModeExec)
		var fault *pgconn.PgError
		if !errors.As(err, &fault) || fault.Code != "22023" || !strings.Contains(fault.Message, tt.want) || !strings.HasPrefix(fault.Message, schema+".emit: ") {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	for _, arguments := range []string{
		`'M', 1, '{}'`, `repeat('A', 64), 1, '{}'`, `'A_1', 1, 'null'`, `'A', 1, '[]', 7`, `'A', 1, '1', 10`, `'A', 1, '"gone"', 11`,
		`'A', 1, to_jsonb(repeat('x', 1048574))`, `action => 'A', project => 1, payload => '{}', task => 8`,
	} {
		if _, err := conn.Exec(t.Context(), "SELECT "+quoted+".emit("+arguments+")", pgx.QueryExecModeExec); err != nil {
			t.Errorf("emit(%s): %v", arguments, err)
		}
	}
}

// TestEmitPrivileges: nobody may call the function who was not granted it, and who may has
// no way to its secret or its numbers, whatever its search_path is.
func TestEmitPrivileges(t *testing.T) {
	t.Parallel()
	db := emitting(t)
	role := pgx.Identifier{db.Name + "_app"}.Sanitize()
	db.Exec(t, "CREATE ROLE "+role)
	db.Exec(t, "GRANT USAGE ON SCHEMA "+quoted+" TO "+role)
	conn := db.Connect(t)
	must := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("run %q: %v", sql, err)
		}
	}
	denied := func(sql string) {
		t.Helper()
		_, err := conn.Exec(t.Context(), sql)
		if fault := (*pgconn.PgError)(nil); !errors.As(err, &fault) || fault.Code != "42501" {
			t.Errorf("%s: %v, want it to be denied", sql, err)
		}
	}
	emit := "SELECT " + quoted + `.emit('MODEL', 1, '{}')`
	must("SET ROLE " + role)
	denied(emit)
	must("RESET ROLE")
	must("GRANT EXECUTE ON FUNCTION " + quoted + ".emit(text, bigint, jsonb, bigint) TO " + role)
	must("SET ROLE " + role)
	must(emit)
	denied("SELECT * FROM " + quoted + ".emit_secret")
	denied("SELECT nextval('" + quoted + ".emit_number')")
	denied("SELECT setval('" + quoted + ".emit_number', 1)")
	must(`CREATE TEMPORARY TABLE "Pro ject" (id integer)`)
	must(`CREATE FUNCTION pg_temp.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$SELECT NULL::bytea$$`)
	must("SET search_path = pg_temp, public")
	must(emit)
	must("RESET ROLE")

	found, err := state.LookAtEmit(t.Context(), conn, schema, sources)
	if err != nil {
		t.Fatal(err)
	}
	if want := (state.Emit{Function: true, Same: true, Secret: true, Readable: true, Readers: []string{}}); !cmp.Equal(want, found) {
		t.Errorf("found (-want +got):\n%s", cmp.Diff(want, found))
	}
	must("GRANT SELECT ON " + quoted + ".emit_secret TO " + role)
	must("GRANT EXECUTE ON FUNCTION " + quoted + ".emit(text, bigint, jsonb, bigint) TO PUBLIC")
	must("ALTER FUNCTION " + quoted + ".emit(text, bigint, jsonb, bigint) SECURITY INVOKER")
	if found, err = state.LookAtEmit(t.Context(), conn, schema, sources); err != nil {
		t.Fatal(err)
	}
	if !found.Public || found.Same || len(found.Readers) != 1 || found.Complete() {
		t.Errorf("what was changed is not seen: %+v", found)
	}
	setUpEmit(t, db)
	if found, err = state.LookAtEmit(t.Context(), conn, schema, sources); err != nil || !found.Complete() {
		t.Errorf("what was changed is not mended: %+v, %v", found, err)
	}
}

// decoded is what a slot of test_decoding, which shows every table, has since it was made.
func decoded(t *testing.T, db *cdctest.Database, slot string) (lines []string) {
	t.Helper()
	rows, err := db.Connect(t).Query(t.Context(), "SELECT data FROM pg_logical_slot_get_changes($1, NULL, NULL)", slot)
	if err == nil {
		lines, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// TestEmitKeepsItsSecret: neither the messages nor the making of the secret show it to a
// reader of all changes of all tables; it stays when the function is made again.
func TestEmitKeepsItsSecret(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	db.Exec(t, `CREATE TABLE "Pro ject" (id integer PRIMARY KEY)`)
	db.Exec(t, `CREATE TABLE task (id bigint PRIMARY KEY, project_id integer)`)
	db.Exec(t, "CREATE PUBLICATION everything FOR ALL TABLES")
	slot := strings.ToLower(db.Name) + "_all"
	db.Exec(t, "SELECT pg_create_logical_replication_slot($1, 'test_decoding')", slot)
	t.Cleanup(func() { db.Exec(t, "SELECT pg_drop_replication_slot($1)", slot) })
	setUpEmit(t, db)
	db.Exec(t, `INSERT INTO "Pro ject" VALUES (1)`)
	db.Exec(t, "SELECT "+quoted+`.emit('MODEL', 1, '{"a": [1, 2]}')`)
	keys, err := state.EmitKeys(t.Context(), db.Connect(t), schema)
	if err != nil || keys == nil || len(keys.Inner) != 64 || len(keys.Outer) != 64 || slices.Equal(keys.Inner, keys.Outer) {
		t.Fatalf("keys %v: %v", keys, err)
	}
	all := strings.Join(decoded(t, db, slot), "\n")
	for _, key := range [][]byte{keys.Inner, keys.Outer} {
		for _, form := range []string{fmt.Sprintf("%x", key), string(key), fmt.Sprintf("%x", key[:32])} {
			if strings.Contains(all, form) {
				t.Error("the secret is among the changes")
			}
		}
	}
	for _, want := range []string{"emit_secret: INSERT: id[integer]:1", "transactional: 1 prefix: " + schema + ".emit", `{"a": [1, 2]}`} {
		if !strings.Contains(all, want) {
			t.Errorf("the changes have no %q: the test sees nothing:\n%s", want, all)
		}
	}
	if ran := setUpEmit(t, db); len(ran) > 0 {
		t.Errorf("set up again: %q", ran)
	}
	db.Exec(t, "DROP FUNCTION "+quoted+".emit(text, bigint, jsonb, bigint)")
	setUpEmit(t, db)
	defer func() {
		db.Exec(t, "DELETE FROM "+quoted+".emit_secret")
		if _, err := db.Connect(t).Exec(t.Context(), "SELECT "+quoted+`.emit('MODEL', 1, '{}')`); err == nil || !strings.Contains(err.Error(), "the secret is gone") {
			t.Errorf("without a secret: %v", err)
		}
		setUpEmit(t, db)
		db.Exec(t, "SELECT "+quoted+`.emit('MODEL', 1, '{}')`)
	}()
	again, err := state.EmitKeys(t.Context(), db.Connect(t), schema)
	if err != nil || !slices.Equal(again.Inner, keys.Inner) || !slices.Equal(again.Outer, keys.Outer) {
		t.Errorf("the secret is another one: %v", err)
	}
}

// TestEmitStatements: run by hand, they leave nothing to do, and Drop leaves nothing of them.
func TestEmitStatements(t *testing.T) {
	t.Parallel()
	db := migrated(t)
	db.Exec(t, `CREATE TABLE "Pro ject" (id integer PRIMARY KEY)`)
	db.Exec(t, `CREATE TABLE task (id bigint PRIMARY KEY, project_id integer)`)
	if keys, err := state.EmitKeys(t.Context(), db.Connect(t), schema); keys != nil || err != nil {
		t.Errorf("keys %v before the set-up: %v", keys, err)
	}
	for _, statement := range state.EmitStatements(schema, sources) {
		if !strings.HasSuffix(statement, ";") {
			t.Errorf("no semicolon at the end of %q", statement)
		}
		db.Exec(t, statement)
	}
	if ran := setUpEmit(t, db); len(ran) > 0 {
		t.Errorf("there was something left to do: %q", ran)
	}
	if err := state.Drop(t.Context(), db.Connect(t), schema); err != nil {
		t.Fatal(err)
	}
	if left := db.QueryText(t, "SELECT count(*) FROM pg_namespace WHERE nspname = $1", schema); left != "0" {
		t.Error("the schema is still there")
	}
}

// TestEmitCallers: functions whose text calls emit, those that the catalog knows of, their
// triggers and what else depends on it are named; what has a function of that name of its
// own is not, unless it names the schema as well: to refuse too often is the safe side.
func TestEmitCallers(t *testing.T) {
	t.Parallel()
	db := emitting(t)
	for _, sql := range []string{
		`CREATE FUNCTION by_text() RETURNS trigger LANGUAGE plpgsql AS $f$BEGIN PERFORM ` + quoted + `. emit ('A', 1, '{}'); RETURN NULL; END$f$`,
		`CREATE FUNCTION by_catalog() RETURNS void BEGIN ATOMIC SELECT ` + quoted + `.emit('A', 1, '{}'); END`,
		`CREATE FUNCTION by_format() RETURNS void LANGUAGE plpgsql AS $f$BEGIN EXECUTE format('SELECT %I.emit($1, 1, $2)', '` + schema + `') USING 'A', '{}'::jsonb; END$f$`,
		`CREATE FUNCTION by_path() RETURNS void LANGUAGE plpgsql SET search_path = public, ` + quoted + ` AS $f$BEGIN PERFORM emit('A', 1, '{}'); END$f$`,
		`CREATE FUNCTION another() RETURNS void LANGUAGE plpgsql AS $f$BEGIN PERFORM my.emit('A'); PERFORM remit('` + schema + `'); END$f$`,
		`CREATE FUNCTION neither() RETURNS void LANGUAGE plpgsql AS $f$BEGIN PERFORM my.emit('A'); END$f$`,
		`CREATE TRIGGER tell AFTER INSERT ON task FOR EACH ROW EXECUTE FUNCTION by_text()`,
		`CREATE RULE calls AS ON UPDATE TO task DO ALSO SELECT ` + quoted + `.emit('A', 1, '{}')`,
	} {
		db.Exec(t, sql)
	}
	callers, err := state.EmitCallers(t.Context(), db.Connect(t), schema)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"function another()", "function by_catalog()", "function by_format()", "function by_path()", "function by_text()", "rule calls on table task", "trigger tell on table task"}
	if diff := cmp.Diff(want, callers); diff != "" {
		t.Errorf("callers (-want +got):\n%s", diff)
	}
	holding, err := state.ReadHolding(t.Context(), db.Connect(t), schema)
	if err != nil || !holding.Emits || len(holding.Callers) != len(want) {
		t.Errorf("holding %+v: %v", holding, err)
	}
}

// TestEmitAndMapping: the codes of both sides agree for whatever is emitted; see also the
// tests of mapping, which have no server.
func TestEmitAndMapping(t *testing.T) {
	t.Parallel()
	db := emitting(t)
	conn := db.Connect(t)
	keys, err := state.EmitKeys(t.Context(), conn, schema)
	if err != nil {
		t.Fatal(err)
	}
	of := func(ctx context.Context, text string) []byte {
		var code []byte
		err := conn.QueryRow(ctx, "SELECT sha256(s.outer_key || sha256(s.inner_key || convert_to(c.system_identifier || chr(10), 'UTF8') || $1)) FROM "+
			quoted+".emit_secret s, pg_control_system() c", []byte(text)).Scan(&code)
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	for _, text := range []string{"", "1\n2\nA\n1\n\n{}", strings.Repeat("ü", 1000)} {
		if got, want := keys.Code([]byte(text)), of(t.Context(), text); !slices.Equal(got, want) {
			t.Errorf("code %x of %.20q, the server says %x", got, text, want)
		}
	}
	if mapping.Action("TASK_COMPLETED").IsCustom() || !mapping.Action("MODEL_OUTDATED").IsCustom() {
		t.Error("the rule of names is another one")
	}
}
