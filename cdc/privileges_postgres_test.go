package cdc

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
)

// may is what a role is given; each of them is needed.
type may struct{ replicate, create, own bool }

func (m may) String() string {
	return fmt.Sprintf("replicate=%t create=%t own=%t", m.replicate, m.create, m.own)
}

// some are all roles that lack something, and the one that does not.
func someRoles() (all []may) {
	for i := range 8 {
		all = append(all, may{i&1 != 0, i&2 != 0, i&4 != 0})
	}
	return all
}

// as connects as a new role that may do this.
func (m may) as(t *testing.T, db *cdctest.Database) *pgx.Conn {
	t.Helper()
	role := "role_" + db.Name
	attribute := "NOREPLICATION"
	if m.replicate {
		attribute = "REPLICATION"
	}
	db.Exec(t, "CREATE ROLE "+role+" LOGIN "+attribute)
	t.Cleanup(func() {
		db.Exec(t, "REASSIGN OWNED BY "+role+" TO postgres")
		db.Exec(t, "DROP OWNED BY "+role)
		db.Exec(t, "DROP ROLE "+role)
	})
	if m.create {
		db.Exec(t, "GRANT CREATE ON DATABASE "+db.Name+" TO "+role)
	}
	if m.own {
		db.Exec(t, "ALTER TABLE a OWNER TO "+role)
	}
	conn, err := pgx.Connect(t.Context(), strings.Replace(db.DSN, "postgres@", role+"@", 1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return conn
}

func owned(t *testing.T) (*cdctest.Database, Plan) {
	t.Helper()
	db := cdctest.Postgres(t).Database(t)
	db.Exec(t, "CREATE TABLE a (id integer PRIMARY KEY, v text)")
	plan := planOf(db, "a")
	plan.Tables[0].IdentityFull = true
	return db, plan
}

// TestSetupChangesAllOrNothing: whatever the role lacks, setup names all of it, with SQL
// that gives it, and has changed nothing.
func TestSetupChangesAllOrNothing(t *testing.T) {
	t.Parallel()
	for _, m := range someRoles() {
		t.Run(m.String(), func(t *testing.T) {
			t.Parallel()
			db, plan := owned(t)
			conn := m.as(t, db)
			before := installed(t, db)
			_, err := Setup(t.Context(), conn, plan, nil)
			if m == (may{true, true, true}) {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil {
				t.Fatal("no error")
			}
			for text, lacks := range map[string]bool{
				"lacks the attribute REPLICATION": !m.replicate, " REPLICATION;": !m.replicate,
				"lacks CREATE on database": !m.create, "GRANT CREATE ON DATABASE": !m.create,
				"must be owner of table public.a": !m.own,
			} {
				if got := strings.Contains(err.Error(), text); got != lacks {
					t.Errorf("it says %q: %t, want %t: %v", text, got, lacks, err)
				}
			}
			if diff := cmp.Diff(before, installed(t, db)); diff != "" {
				t.Errorf("something was made all the same:\n%s", diff)
			}
		})
	}
}

// TestTeardownChangesAllOrNothing is the same for the way back.
func TestTeardownChangesAllOrNothing(t *testing.T) {
	t.Parallel()
	for _, m := range someRoles() {
		t.Run(m.String(), func(t *testing.T) {
			t.Parallel()
			db, plan := owned(t)
			if _, err := Setup(t.Context(), db.Connect(t), plan, nil); err != nil {
				t.Fatal(err)
			}
			conn := m.as(t, db)
			if m.own {
				db.Exec(t, "ALTER PUBLICATION "+quoteIdent(plan.Publication)+" OWNER TO role_"+db.Name)
			}
			before := installed(t, db)
			err := Teardown(t.Context(), conn, plan, nil)
			if m.replicate && m.own {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil {
				t.Fatal("no error")
			}
			for text, lacks := range map[string]bool{
				"lacks the attribute REPLICATION": !m.replicate, "must be owner of publication": !m.own, "must be owner of table public.a": !m.own,
			} {
				if got := strings.Contains(err.Error(), text); got != lacks {
					t.Errorf("it says %q: %t, want %t: %v", text, got, lacks, err)
				}
			}
			if diff := cmp.Diff(before, installed(t, db)); diff != "" {
				t.Errorf("something was removed all the same:\n%s", diff)
			}
		})
	}
}

// TestSetupNeedsRoom: a server without a slot or a sender to spare is named, whatever
// else could be made.
func TestSetupNeedsRoom(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{
		"max_replication_slots": "all replication slots of the server are in use (max_replication_slots = 1)",
		"max_wal_senders":       "all WAL senders of the server are in use (max_wal_senders = 0)",
	} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			value := "1"
			if setting == "max_wal_senders" {
				value = "0"
			}
			db := cdctest.Private(t, throwaway.Options{Settings: map[string]string{setting: value}}).Database(t)
			db.Exec(t, "CREATE TABLE a (id integer PRIMARY KEY)")
			db.Exec(t, "SELECT pg_create_physical_replication_slot('other')")
			before := installed(t, db)
			_, err := Setup(t.Context(), db.Connect(t), planOf(db, "a"), nil)
			checkFault(t, err, Privilege, want, "ALTER SYSTEM SET "+setting)
			if diff := cmp.Diff(before, installed(t, db)); diff != "" {
				t.Errorf("something was made all the same:\n%s", diff)
			}
		})
	}
}

// TestSetupDoesNotHoldUpTheApplication: while a table is locked, whoever asks for it after
// setup is not kept waiting behind setup, and setup says who has it.
func TestSetupDoesNotHoldUpTheApplication(t *testing.T) {
	t.Parallel()
	db, plan := owned(t)
	plan.Slot = "" // which waits for all transactions
	holder := db.Connect(t)
	for _, sql := range []string{"SET application_name = 'nightly dump'", "BEGIN", "LOCK TABLE a IN ACCESS SHARE MODE"} {
		if _, err := holder.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	in := newInstaller(db.Connect(t), plan, nil)
	in.patience = 3 * time.Second
	done := make(chan error, 1)
	go func() {
		_, err := in.setup(t.Context())
		done <- err
	}()
	await(t, func() string {
		if db.QueryText(t, "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'a'::regclass") == "0" {
			return "setup does not wait"
		}
		return ""
	})
	db.Exec(t, "INSERT INTO a VALUES (1, '')") // as the application does: a lock that the reader's does not exclude
	if got := db.QueryText(t, "SELECT relreplident FROM pg_class WHERE relname = 'a'"); got != "d" {
		t.Fatalf("the identity is %s already: the test shows nothing", got)
	}
	checkFault(t, <-done, TableLocked, "because of locks", fmt.Sprintf("pid %d (user postgres, application nightly dump", holder.PgConn().PID()))
	if _, err := holder.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if _, err := Setup(t.Context(), db.Connect(t), plan, nil); err != nil {
		t.Errorf("after its end: %v", err)
	}
}

// TestWideningWaitsForLocks: a table whose filter must go may be locked for a while, and
// the statements that go together are all tried again.
func TestWideningWaitsForLocks(t *testing.T) {
	t.Parallel()
	const create = "CREATE PUBLICATION p FOR TABLE a WHERE (id > 7), b"
	db, plan := twoTables(t, create)
	db.Exec(t, create)
	plan.Widen = true
	holder := db.Connect(t)
	for _, sql := range []string{"BEGIN", "LOCK TABLE a IN SHARE UPDATE EXCLUSIVE MODE"} {
		if _, err := holder.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error, 1)
	go func() {
		_, err := Setup(t.Context(), db.Connect(t), plan, nil)
		done <- err
	}()
	const waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'a'::regclass"
	for _, want := range []string{"1", "0"} { // it has given way once
		await(t, func() string {
			if got := db.QueryText(t, waiting); got != want {
				return "sessions that wait: " + got + ", want " + want
			}
			return ""
		})
	}
	if _, err := holder.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := CheckPublication(t.Context(), db.Connect(t).PgConn(), plan.Publication, plan.Tables); err != nil {
		t.Error(err)
	}
}
