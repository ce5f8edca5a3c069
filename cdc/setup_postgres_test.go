package cdc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
)

// oddSource is a database whose names need quoting, and its plan.
func oddSource(t *testing.T) (*cdctest.Database, Plan) {
	t.Helper()
	db := cdctest.Postgres(t).Database(t)
	db.Exec(t, `CREATE SCHEMA "Odd"`)
	db.Exec(t, `CREATE TABLE "Odd"."it's ""a"" table" (id integer PRIMARY KEY)`)
	db.Exec(t, "CREATE TABLE plain (id integer PRIMARY KEY)")
	return db, Plan{Slot: "slot_" + db.Name, Publication: `it's "a" publication`, Tables: []Table{
		{Schema: "Odd", Name: `it's "a" table`, IdentityFull: true}, {Schema: "public", Name: "plain"},
	}}
}

// installed is everything that a plan leaves behind, as the catalogs have it.
func installed(t *testing.T, db *cdctest.Database) string {
	t.Helper()
	return db.QueryText(t, `SELECT concat_ws(E'\n',
		(SELECT string_agg(format('%s publishes %s %s %s %s all=%s', pubname, pubinsert, pubupdate, pubdelete, pubtruncate, puballtables), E'\n' ORDER BY 1) FROM pg_publication),
		(SELECT string_agg(format('%s has %I.%I', pubname, schemaname, tablename), E'\n' ORDER BY schemaname) FROM pg_publication_tables),
		(SELECT string_agg(format('%I is %s', relname, relreplident), E'\n' ORDER BY relname) FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text !~ '^(pg_|information)'),
		(SELECT string_agg(format('slot %s %s %s', plugin, slot_type, temporary), E'\n') FROM pg_replication_slots WHERE database = current_database()))`)
}

func TestSetupIsIdempotentAndTeardownLeavesNoTrace(t *testing.T) {
	t.Parallel()
	db, plan := oddSource(t)
	conn := db.Connect(t)
	before := installed(t, db)

	var logged []string
	first, err := Setup(t.Context(), conn, plan, func(step string) { logged = append(logged, step) })
	if err != nil {
		t.Fatal(err)
	}
	if !first.SlotCreated || first.Confirmed == 0 {
		t.Errorf("first run: %+v", first)
	}
	if diff := cmp.Diff(first.Steps, logged); diff != "" {
		t.Errorf("steps (-done +logged):\n%s", diff)
	}
	after := installed(t, db)
	second, err := Setup(t.Context(), conn, plan, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Result{Confirmed: first.Confirmed}, second); diff != "" {
		t.Errorf("second run (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(after, installed(t, db)); diff != "" {
		t.Errorf("the second run changed something:\n%s", diff)
	}
	for range 2 {
		if err := Teardown(t.Context(), conn, plan, nil); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, installed(t, db)); diff != "" {
			t.Errorf("teardown left (-before +after):\n%s", diff)
		}
	}
}

// TestPrintedStatementsDoTheSame applies what --print shows.
func TestPrintedStatementsDoTheSame(t *testing.T) {
	t.Parallel()
	db, plan := oddSource(t)
	result, err := Setup(t.Context(), db.Connect(t), plan, nil)
	if err != nil {
		t.Fatal(err)
	}
	other, same := oddSource(t)
	statements := Statements(same, versionOf(t, other))
	for _, sql := range statements {
		other.Exec(t, sql)
	}
	if diff := cmp.Diff(installed(t, db), installed(t, other)); diff != "" {
		t.Errorf("(-setup +printed):\n%s", diff)
	}
	statements = Statements(plan, versionOf(t, db))
	if diff := cmp.Diff(statements, result.Steps); diff != "" {
		t.Errorf("(-printed +done):\n%s", diff)
	}
}

func TestStatementsFailover(t *testing.T) {
	for _, test := range []struct {
		failover bool
		version  int
		want     bool
	}{{true, 160009, false}, {true, 170000, true}, {true, 180004, true}, {false, 180004, false}} {
		got := slices.ContainsFunc(Statements(Plan{Slot: "s", Publication: "p", Failover: test.failover}, test.version),
			func(sql string) bool { return strings.Contains(sql, "failover => true") })
		if got != test.want {
			t.Errorf("failover %v on %d: in the statements %v, want %v", test.failover, test.version, got, test.want)
		}
	}
}

// TestPartitionsHaveTheirOwnIdentity: a partition does not inherit REPLICA IDENTITY FULL,
// and the server takes what it writes of an old row from the partition. Setup sets it
// everywhere, also on what was added since, and Teardown resets all of it.
func TestPartitionsHaveTheirOwnIdentity(t *testing.T) {
	t.Parallel()
	db, plan := oddSource(t)
	db.Exec(t, `CREATE TABLE parted (id integer, v text NOT NULL, PRIMARY KEY (id)) PARTITION BY RANGE (id);
		CREATE TABLE "Odd"."P 1" PARTITION OF parted FOR VALUES FROM (0) TO (100);
		CREATE TABLE sub PARTITION OF parted FOR VALUES FROM (100) TO (200) PARTITION BY RANGE (id);
		CREATE TABLE sub_1 PARTITION OF sub DEFAULT`)
	parted := Table{Schema: "public", Name: "parted", IdentityFull: true}
	plan.Tables = append(plan.Tables, parted)
	conn := db.Connect(t)
	before := installed(t, db)
	if _, err := Setup(t.Context(), conn, plan, nil); err != nil {
		t.Fatal(err)
	}
	db.Exec(t, "CREATE TABLE late PARTITION OF parted DEFAULT")
	if result, err := Setup(t.Context(), conn, plan, nil); err != nil || len(result.Steps) != 1 {
		t.Fatalf("second set-up: %+v, %v, want one statement", result, err)
	}
	s := start(t, optionsOf(t, db, plan))
	db.Exec(t, "INSERT INTO parted VALUES (1, 'old'), (100, 'old'), (1000, 'old')")
	s.collect(t, 3)
	db.Exec(t, "DELETE FROM parted")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for n := 0; n < 3; {
		parts, err := s.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range parts {
			for _, c := range p.Changes {
				n++
				if got := string(c.Old.Text(1)); got != "old" {
					t.Errorf("deleted row %s has %q", c.Old.Text(0), got)
				}
			}
			finish(p)
		}
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if err := Teardown(t.Context(), conn, plan, nil); err != nil {
		t.Fatal(err)
	}
	db.Exec(t, "DROP TABLE late")
	if diff := cmp.Diff(before, installed(t, db)); diff != "" {
		t.Errorf("teardown left (-before +after):\n%s", diff)
	}
}

// TestForeignPartitionsHaveNoIdentity: rows of another server are not in the WAL, and their
// tables have no replica identity to set.
func TestForeignPartitionsHaveNoIdentity(t *testing.T) {
	t.Parallel()
	db, plan := oddSource(t)
	db.Exec(t, `CREATE TABLE parted (id integer) PARTITION BY RANGE (id);
		CREATE TABLE near PARTITION OF parted FOR VALUES FROM (0) TO (100);
		CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER elsewhere FOREIGN DATA WRAPPER nothing;
		CREATE FOREIGN TABLE far PARTITION OF parted DEFAULT SERVER elsewhere`)
	plan.Tables = append(plan.Tables, Table{Schema: "public", Name: "parted", IdentityFull: true})
	conn := db.Connect(t)
	before := installed(t, db)
	if _, err := Setup(t.Context(), conn, plan, nil); err != nil {
		t.Fatal(err)
	}
	if err := Teardown(t.Context(), conn, plan, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, installed(t, db)); diff != "" {
		t.Errorf("teardown left (-before +after):\n%s", diff)
	}
}

func TestSetupNamesMissingTables(t *testing.T) {
	t.Parallel()
	db, plan := oddSource(t)
	plan.Tables = append(plan.Tables, Table{Schema: "public", Name: "taks"}, Table{Schema: "nowhere", Name: "plain"})
	before := installed(t, db)
	_, err := Setup(t.Context(), db.Connect(t), plan, nil)
	checkFault(t, err, TableMissing, "no such table: public.taks, nowhere.plain")
	if diff := cmp.Diff(before, installed(t, db)); diff != "" {
		t.Errorf("something was made all the same:\n%s", diff)
	}
}

func TestSetupNeedsTheOwner(t *testing.T) {
	t.Parallel()
	db, plan := oddSource(t)
	role := "role_" + db.Name
	db.Exec(t, "CREATE ROLE "+role+" REPLICATION")
	db.Exec(t, "GRANT CREATE ON DATABASE "+db.Name+" TO "+role)
	t.Cleanup(func() { db.Exec(t, "DROP OWNED BY "+role); db.Exec(t, "DROP ROLE "+role) })
	conn := db.Connect(t)
	if _, err := conn.Exec(t.Context(), "SET ROLE "+role); err != nil {
		t.Fatal(err)
	}
	_, err := Setup(t.Context(), conn, plan, nil)
	checkFault(t, err, NotOwner, `must be owner of table Odd.it's "a" table, public.plain`,
		`run as its owner, or let its owner run: CREATE PUBLICATION`, `REPLICA IDENTITY FULL;`)

	for _, sql := range Statements(plan, versionOf(t, db))[:2] { // as the owner
		db.Exec(t, sql)
	}
	if result, err := Setup(t.Context(), conn, plan, nil); err != nil || len(result.Steps) != 1 {
		t.Errorf("after the owner's part: %+v, %v, want the slot alone", result, err)
	}
}

func TestSetupNamesWhatBlocksTheSlot(t *testing.T) {
	t.Parallel()
	server := cdctest.Private(t, throwaway.Options{})
	db := server.Database(t)
	db.Exec(t, "CREATE TABLE a (id integer PRIMARY KEY, v text)")
	plan := planOf(db, "a")
	blocker := db.Connect(t)
	for _, sql := range []string{"SET application_name = 'nightly report'", "BEGIN", "INSERT INTO a VALUES (1, '')"} {
		if _, err := blocker.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	in := newInstaller(db.Connect(t), plan, nil)
	in.patience = 300 * time.Millisecond
	_, err := in.setup(t.Context())
	checkFault(t, err, SlotBlocked, "within 300ms because of running transactions",
		fmt.Sprintf("pid %d (user postgres, application nightly report", blocker.PgConn().PID()))
	o := optionsOf(t, db, plan)
	o.Temporary = true
	checkFault(t, start(t, o).fault(t), SlotBlocked, "within 1s because of running transactions", "application nightly report")
	if got := db.QueryText(t, "SELECT count(*) FROM pg_replication_slots"); got != "0" {
		t.Errorf("%s slots left behind", got)
	}
	if _, err := blocker.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if _, err := Setup(t.Context(), db.Connect(t), plan, nil); err != nil {
		t.Errorf("after its end: %v", err)
	}
}

func TestTeardownRefusesSlotInUse(t *testing.T) {
	t.Parallel()
	db, plan := source(t, cdctest.Postgres(t))
	s := start(t, optionsOf(t, db, plan))
	db.Exec(t, "INSERT INTO a VALUES (1, '')")
	s.collect(t, 1)
	before := installed(t, db)
	pid := db.QueryText(t, "SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1", plan.Slot)
	checkFault(t, Teardown(t.Context(), db.Connect(t), plan, nil), SlotActive, "in use by server process "+pid)
	if diff := cmp.Diff(before, installed(t, db)); diff != "" {
		t.Errorf("something was removed all the same:\n%s", diff)
	}
}

// TestSlotWithSnapshot reads what was there under the slot's snapshot, and what
// came later from the slot: nothing is missing and nothing is twice.
func TestSlotWithSnapshot(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).Database(t)
	db.Exec(t, "CREATE TABLE a (id integer PRIMARY KEY, v text)")
	plan := planOf(db, "a")
	db.Exec(t, createPublication(plan, versionOf(t, db), false))
	db.Exec(t, "INSERT INTO a VALUES (1, 'before')")

	config, err := pgconn.ParseConfig(db.DSN)
	if err != nil {
		t.Fatal(err)
	}
	config.RuntimeParams["replication"] = "database"
	replication, err := pgconn.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = replication.Close(context.Background()) })
	snapshot, consistent, err := CreateSlotWithSnapshot(t.Context(), replication, plan.Slot, true)
	if err != nil {
		t.Fatal(err)
	}
	db.Exec(t, "INSERT INTO a VALUES (2, 'after')")

	var seen string
	err = pgx.BeginTxFunc(t.Context(), db.Connect(t), pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), "SET TRANSACTION SNAPSHOT "+quoteText(snapshot)); err != nil {
			return err
		}
		return tx.QueryRow(t.Context(), "SELECT string_agg(v, ',') FROM a").Scan(&seen)
	})
	if err != nil || seen != "before" {
		t.Errorf("under the snapshot: %q, %v, want before", seen, err)
	}
	if got := confirmed(t, db, plan.Slot); got != consistent {
		t.Errorf("slot at %v, consistent point %v", got, consistent)
	}
	if diff := cmp.Diff([]string{"insert a 2"}, start(t, optionsOf(t, db, plan)).collect(t, 1)); diff != "" {
		t.Errorf("from the slot (-want +got):\n%s", diff)
	}
}

func TestExportSnapshotSyntax(t *testing.T) {
	for version, want := range map[int]string{140000: "EXPORT_SNAPSHOT", 150000: "(SNAPSHOT 'export')", 170000: "(SNAPSHOT 'export', FAILOVER true)"} {
		if got := exportSnapshot(version, true); got != want {
			t.Errorf("on %d: %s, want %s", version, got, want)
		}
	}
}

func TestSetupEndsWithContext(t *testing.T) {
	t.Parallel()
	db, plan := oddSource(t)
	ctx, cancel := context.WithCancel(t.Context())
	conn := db.Connect(t)
	cancel()
	if _, err := Setup(ctx, conn, plan, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
}

func versionOf(t *testing.T, db *cdctest.Database) int {
	t.Helper()
	version, err := VersionOf(t.Context(), db.Connect(t).PgConn())
	if err != nil {
		t.Fatal(err)
	}
	return version
}
