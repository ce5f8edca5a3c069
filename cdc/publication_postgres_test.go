package cdc

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
)

// TestNarrowPublicationsAreRefused: whatever a publication keeps back, setup and a stream
// say so, change nothing, and name SQL after which they go on. With Widen setup runs it.
func TestNarrowPublicationsAreRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, create string
		reason       Reason
		what         string
	}{
		{"row filter", "CREATE PUBLICATION p FOR TABLE a WHERE (id > 7), b", PublicationNarrowed, "row filter on table public.a, (id > 7)"},
		{"column list", "CREATE PUBLICATION p FOR TABLE a (id), b", PublicationNarrowed, "column list for table public.a"},
		{"column list of all columns", "CREATE PUBLICATION p FOR TABLE a, b (id, v)", PublicationNarrowed, "column list for table public.b"},
		{"both", "CREATE PUBLICATION p FOR TABLE a (id) WHERE (id > 7), b (id) WITH (publish = 'insert')", PublicationNarrowed, "row filter on table public.a"},
		{"no insert", "CREATE PUBLICATION p FOR TABLE a, b WITH (publish = 'update, delete, truncate')", OperationsMissing, "lacks operation insert"},
		{"no update", "CREATE PUBLICATION p FOR TABLE a, b WITH (publish = 'insert, delete, truncate')", OperationsMissing, "lacks operation update"},
		{"no delete", "CREATE PUBLICATION p FOR TABLE a, b WITH (publish = 'insert, update, truncate')", OperationsMissing, "lacks operation delete"},
		{"no truncate", "CREATE PUBLICATION p FOR TABLE a, b WITH (publish = 'insert, update, delete')", OperationsMissing, "lacks operation truncate"},
		{"all tables, no delete", "CREATE PUBLICATION p FOR ALL TABLES WITH (publish = 'insert, update, truncate')", OperationsMissing, "lacks operation delete"},
		{"by schema, no delete", "CREATE PUBLICATION p FOR TABLES IN SCHEMA public WITH (publish = 'insert, update, truncate')", OperationsMissing, "lacks operation delete"},
		{"partitions", "DROP TABLE b; CREATE TABLE b (id integer PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE b1 PARTITION OF b DEFAULT; CREATE PUBLICATION p FOR TABLE a, b", PublicationNarrowed, "table public.b as its partitions"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			db, plan := twoTables(t, test.create)
			db.Exec(t, test.create)
			before := installed(t, db)
			_, err := Setup(t.Context(), db.Connect(t), plan, nil)
			checkFault(t, err, test.reason, `publication "p"`, test.what)
			if diff := cmp.Diff(before, installed(t, db)); diff != "" {
				t.Errorf("something was changed all the same:\n%s", diff)
			}
			err = CheckPublication(t.Context(), db.Connect(t).PgConn(), plan.Publication, plan.Tables)
			checkFault(t, err, test.reason, test.what)
			fault, _ := errors.AsType[*Fault](err)
			db.Exec(t, fault.Mend)
			if _, err := Setup(t.Context(), db.Connect(t), plan, nil); err != nil {
				t.Errorf("after %s: %v", fault.Mend, err)
			}

			db, plan = twoTables(t, test.create)
			plan.Widen = true
			db.Exec(t, test.create)
			if _, err := Setup(t.Context(), db.Connect(t), plan, nil); err != nil {
				t.Errorf("with leave to widen: %v", err)
			}
			if err := CheckPublication(t.Context(), db.Connect(t).PgConn(), plan.Publication, plan.Tables); err != nil {
				t.Errorf("once widened: %v", err)
			}
		})
	}
}

// TestWidePublicationsAreTaken: what brings all changes is good, however it was made.
func TestWidePublicationsAreTaken(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, create string }{
		{"nothing yet", "SELECT"},
		{"by table", "CREATE PUBLICATION p FOR TABLE a, b"},
		{"one table", "CREATE PUBLICATION p FOR TABLE a"},
		{"all tables", "CREATE PUBLICATION p FOR ALL TABLES"},
		{"by schema", "CREATE PUBLICATION p FOR TABLES IN SCHEMA public"},
		{"by schema, and with a filter that has no effect", "CREATE PUBLICATION p FOR TABLES IN SCHEMA public, TABLE a WHERE (id > 7)"},
		{"partitioned", "DROP TABLE b; CREATE TABLE b (id integer PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE b1 PARTITION OF b DEFAULT"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			db, plan := twoTables(t, test.create)
			db.Exec(t, test.create)
			plan.Slot = "slot_" + db.Name
			if _, err := Setup(t.Context(), db.Connect(t), plan, nil); err != nil {
				t.Fatal(err)
			}
			s := start(t, optionsOf(t, db, plan))
			db.Exec(t, "INSERT INTO a VALUES (1, '')")
			db.Exec(t, "INSERT INTO b VALUES (2, '')")
			if diff := cmp.Diff([]string{"insert a 1", "insert b 2"}, s.collect(t, 2)); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

// since15 matches what publications have since PostgreSQL 15: schemas, row filters, and
// lists of columns.
var since15 = regexp.MustCompile(`IN SCHEMA|WHERE \(|\b[ab] \(`)

// twoTables are in a server that has what the statements need.
func twoTables(t *testing.T, statements ...string) (*cdctest.Database, Plan) {
	t.Helper()
	major := 14
	if slices.ContainsFunc(statements, since15.MatchString) {
		major = 15
	}
	db := cdctest.Since(t, major).Database(t)
	db.Exec(t, "CREATE TABLE a (id integer PRIMARY KEY, v text)")
	db.Exec(t, "CREATE TABLE b (id integer PRIMARY KEY, v text)")
	return db, Plan{Publication: "p", Tables: []Table{{Schema: "public", Name: "a"}, {Schema: "public", Name: "b"}}}
}

// except takes table a out of publication p of all tables. Servers before version 19 cannot;
// there it leaves the same in the catalog.
const except = `DO $$ BEGIN
	IF current_setting('server_version_num')::int >= 190000 THEN
		EXECUTE 'ALTER PUBLICATION p SET ALL TABLES EXCEPT (TABLE a)';
	ELSE
		SET LOCAL allow_system_table_mods = on;
		INSERT INTO pg_catalog.pg_publication_rel (oid, prpubid, prrelid) SELECT 1, oid, 'a'::regclass FROM pg_catalog.pg_publication WHERE pubname = 'p';
	END IF;
END $$`

// TestPublishedNoticesWhatWasAway: a publication that is as it was, and was not
// meanwhile, has lost changes; one that was only extended, or whose tables had other
// names, has not.
func TestPublishedNoticesWhatWasAway(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, create string
		change       []string
		want         string
	}{
		{"table out and in", "FOR TABLE a, b", []string{"ALTER PUBLICATION p DROP TABLE a", "ALTER PUBLICATION p ADD TABLE a"}, "table public.a was removed from the publication and added again"},
		{"table replaced", "FOR TABLE a, b", []string{"ALTER PUBLICATION p SET TABLE b", "ALTER PUBLICATION p SET TABLE a, b"}, "table public.a was removed from the publication and added again"},
		{"table made anew", "FOR TABLE a, b", []string{"DROP TABLE a", "CREATE TABLE a ()", "ALTER PUBLICATION p ADD TABLE a"}, "table public.a was removed from the publication and added again"},
		{"table out", "FOR TABLE a, b", []string{"ALTER PUBLICATION p DROP TABLE a"}, "table public.a was removed from the publication"},
		{"filtered", "FOR TABLE a, b", []string{"ALTER PUBLICATION p SET TABLE a WHERE (id > 7), b"}, "table public.a got a row filter or a column list in the publication"},
		{"filtered and back", "FOR TABLE a, b", []string{"ALTER PUBLICATION p SET TABLE a WHERE (id > 7), b", "ALTER PUBLICATION p SET TABLE a, b"}, "table public.a was removed from the publication and added again"},
		{"column list", "FOR TABLE a, b", []string{"ALTER PUBLICATION p SET TABLE a (id), b"}, "table public.a got a row filter or a column list in the publication"},
		{"column list and back", "FOR TABLE a, b", []string{"ALTER PUBLICATION p SET TABLE a (id), b", "ALTER PUBLICATION p SET TABLE a, b"}, "table public.a was removed from the publication and added again"},
		{"schema out and in", "FOR TABLES IN SCHEMA public", []string{"ALTER PUBLICATION p DROP TABLES IN SCHEMA public", "ALTER PUBLICATION p ADD TABLES IN SCHEMA public"}, "table public.a was removed from the publication and added again"},
		{"schema out", "FOR TABLES IN SCHEMA public", []string{"ALTER PUBLICATION p DROP TABLES IN SCHEMA public"}, "table public.a was removed from the publication"},
		{"schema for table, with a hole", "FOR TABLES IN SCHEMA public", []string{"ALTER PUBLICATION p DROP TABLES IN SCHEMA public", "ALTER PUBLICATION p ADD TABLE a, b"}, "table public.a was removed from the publication and added again"},
		{"operation out and in", "FOR TABLE a, b", []string{"ALTER PUBLICATION p SET (publish = 'insert')", "ALTER PUBLICATION p SET (publish = 'insert, update, delete, truncate')"}, "the publication was altered and changed back"},
		{"renamed and back", "FOR TABLE a, b", []string{"ALTER PUBLICATION p RENAME TO q", "ALTER PUBLICATION q RENAME TO p"}, "the publication was altered and changed back"},
		{"made anew", "FOR ALL TABLES", []string{"DROP PUBLICATION p", "CREATE PUBLICATION p FOR ALL TABLES"}, "the publication was dropped and recreated"},
		{"gone", "FOR ALL TABLES", []string{"DROP PUBLICATION p"}, "the publication was dropped"},
		{"excepted", "FOR ALL TABLES", []string{except}, "table public.a was removed from the publication"},

		{"nothing", "FOR TABLE a, b", nil, ""},
		{"a table more", "FOR TABLE a, b", []string{"CREATE TABLE c ()", "ALTER PUBLICATION p ADD TABLE c"}, ""},
		{"its schema as well", "FOR TABLE a, b", []string{"ALTER PUBLICATION p ADD TABLES IN SCHEMA public"}, ""},
		{"of two places one", "FOR TABLES IN SCHEMA public, TABLE a, b", []string{"ALTER PUBLICATION p DROP TABLES IN SCHEMA public"}, ""},
		{"another owner", "FOR TABLE a, b", []string{"ALTER PUBLICATION p OWNER TO pg_database_owner"}, ""},
		{"by its root", "FOR TABLE a, b", []string{"ALTER PUBLICATION p SET (publish_via_partition_root = true)"}, ""},
		{"a comment", "FOR TABLE a, b", []string{"COMMENT ON PUBLICATION p IS 'ours'", "VACUUM FULL pg_publication", "VACUUM FREEZE pg_publication"}, ""},
		{"table renamed", "FOR TABLE a, b", []string{"ALTER TABLE a RENAME TO other"}, ""},
		{"table renamed, by schema", "FOR TABLES IN SCHEMA public", []string{"ALTER TABLE a RENAME TO other"}, ""},
		{"another table under its name, not published", "FOR TABLE a, b", []string{"ALTER TABLE a RENAME TO other", "CREATE TABLE a ()"}, "table public.a was removed from the publication"},
		{"another table under its name", "FOR TABLE a, b", []string{"ALTER TABLE a RENAME TO other", "CREATE TABLE a ()", "ALTER PUBLICATION p ADD TABLE a"}, "table public.a was removed from the publication and added again"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			db, plan := twoTables(t, append(test.change, test.create)...)
			db.Exec(t, "CREATE PUBLICATION p "+test.create)
			conn := db.Connect(t).PgConn()
			before, err := published(t.Context(), conn, "p", plan.Tables, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, sql := range test.change {
				db.Exec(t, sql)
			}
			after, err := published(t.Context(), conn, "p", plan.Tables, before)
			if err != nil {
				t.Fatal(err)
			}
			if got := before.Lost(after); got != test.want {
				t.Errorf("lost %q, want %q\nbefore %v\nafter  %v", got, test.want, before, after)
			}
		})
	}
}

func published(ctx context.Context, conn *pgconn.PgConn, name string, tables []Table, known Published) (Published, error) {
	p, err := inspectPublication(ctx, conn, name, tables, known)
	if err != nil {
		return nil, err
	}
	return p.content, nil
}

// TestPublishedOfOldServers: what they do not have is not asked for.
func TestPublishedOfOldServers(t *testing.T) {
	t.Parallel()
	db := cdctest.Private(t, throwaway.Options{Major: "14"}).Database(t)
	db.Exec(t, "CREATE TABLE a (id integer PRIMARY KEY, v text)")
	plan := planOf(db, "a")
	if _, err := Setup(t.Context(), db.Connect(t), plan, nil); err != nil {
		t.Fatal(err)
	}
	p, err := published(t.Context(), db.Connect(t).PgConn(), plan.Publication, plan.Tables, nil)
	if err != nil || len(p) != 3 || p[""] == "" || p[optionsKey] == "" || p["public.a"] == "" {
		t.Errorf("published %v, %v, want the publication, its options and the table", p, err)
	}
}

// TestPublishedOfEarlierRuns: what an older hooktail has written is understood.
func TestPublishedOfEarlierRuns(t *testing.T) {
	before := Published{"": "1", "public.task": "7/5"}
	for _, test := range []struct {
		name string
		now  Published
		want string
	}{
		{"the same", Published{"": "1", optionsKey: "700 10 t", "public.task": "7/5"}, ""},
		{"and by schema", Published{"": "1", optionsKey: "700 10 t", "public.task": "7/5 schema:9/5"}, ""},
		{"put back", Published{"": "1", optionsKey: "700 10 t", "public.task": "8/5"}, "table public.task was removed from the publication and added again"},
		{"filtered all the time", Published{"": "1", optionsKey: "700 10 t", "public.task": "7/5!"}, "table public.task got a row filter or a column list in the publication"},
	} {
		if got := before.Lost(test.now); got != test.want {
			t.Errorf("%s: lost %q, want %q", test.name, got, test.want)
		}
	}
}

// TestRenamedTableIsStillRead: changes of a table that has another name for a while come
// under the name that is known.
func TestRenamedTableIsStillRead(t *testing.T) {
	t.Parallel()
	db, plan := source(t, cdctest.Postgres(t))
	s := start(t, optionsOf(t, db, plan))
	db.Exec(t, "INSERT INTO a VALUES (1, '')")
	got := s.collect(t, 1)
	db.Exec(t, "ALTER TABLE a RENAME TO other")
	db.Exec(t, "INSERT INTO other VALUES (2, '')")
	if err := s.Look(t.Context(), db.Connect(t).PgConn()); isGap(err) {
		t.Errorf("a renamed table is a gap: %v", err)
	}
	db.Exec(t, "ALTER TABLE other RENAME TO a")
	db.Exec(t, "INSERT INTO a VALUES (3, '')")
	if diff := cmp.Diff([]string{"insert a 1", "insert a 2", "insert a 3"}, append(got, s.collect(t, 2)...)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if err := s.Look(t.Context(), db.Connect(t).PgConn()); err != nil {
		t.Errorf("in the end: %v", err)
	}
}

func isGap(err error) bool {
	_, ok := errors.AsType[*Gap](err)
	return ok
}
