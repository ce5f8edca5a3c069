package cdc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
)

// checkFault wants a fault for the reason, with all of want in its message.
func checkFault(t *testing.T, err error, reason Reason, want ...string) {
	t.Helper()
	var fault *Fault
	if !errors.As(err, &fault) || fault.Reason != reason {
		t.Fatalf("error %v, want a fault for %v", err, reason)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q, want %q in it", err, w)
		}
	}
}

// TestFaultsEndTheStream breaks one thing after the set-up.
func TestFaultsEndTheStream(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		breaks func(t *testing.T, db *cdctest.Database, plan Plan, o *Options)
		reason Reason
		want   []string
	}{
		{"slot missing", func(t *testing.T, db *cdctest.Database, plan Plan, _ *Options) {
			db.Exec(t, "SELECT pg_drop_replication_slot($1)", plan.Slot)
		}, SlotMissing, []string{`slot "slot_`, "does not exist: run `hooktail setup`"}},
		{"slot of another plugin", func(t *testing.T, db *cdctest.Database, plan Plan, _ *Options) {
			db.Exec(t, "SELECT pg_drop_replication_slot($1)", plan.Slot)
			db.Exec(t, "SELECT pg_create_logical_replication_slot($1, 'test_decoding')", plan.Slot)
		}, SlotWrong, []string{`of the plugin "test_decoding", not pgoutput`}},
		{"slot of another database", func(t *testing.T, db *cdctest.Database, _ Plan, o *Options) {
			_, other := source(t, cdctest.Postgres(t))
			o.Slot = other.Slot
		}, SlotWrong, []string{"of the database"}},
		{"slot of a session", func(t *testing.T, db *cdctest.Database, plan Plan, _ *Options) {
			db.Exec(t, "SELECT pg_drop_replication_slot($1)", plan.Slot)
			if _, err := db.Connect(t).Exec(t.Context(), "SELECT pg_create_logical_replication_slot($1, 'pgoutput', true)", plan.Slot); err != nil {
				t.Fatal(err)
			}
		}, SlotWrong, []string{"a temporary slot of another session"}},
		{"slot that sends what is not committed", func(t *testing.T, db *cdctest.Database, plan Plan, _ *Options) {
			db.Exec(t, "SELECT pg_drop_replication_slot($1)", plan.Slot)
			db.Exec(t, "SELECT pg_create_logical_replication_slot($1, 'pgoutput', false, true)", plan.Slot)
		}, SlotWrong, []string{"before they are committed (two_phase)", "pg_drop_replication_slot('slot_", "repair --resend"}},
		{"publication missing", func(t *testing.T, db *cdctest.Database, plan Plan, _ *Options) {
			db.Exec(t, "DROP PUBLICATION "+quoteIdent(plan.Publication))
		}, PublicationMissing, []string{"publication", "does not exist: run `hooktail setup`"}},
		{"table and operations not published", func(t *testing.T, db *cdctest.Database, plan Plan, _ *Options) {
			db.Exec(t, "ALTER PUBLICATION "+quoteIdent(plan.Publication)+" DROP TABLE a")
			db.Exec(t, "ALTER PUBLICATION "+quoteIdent(plan.Publication)+" SET (publish = 'insert')")
		}, PublicationIncomplete, []string{"lacks table public.a, operation update, operation delete"}},
		{"database missing", func(_ *testing.T, _ *cdctest.Database, _ Plan, o *Options) {
			o.Config.Database = "no_such_database"
		}, DatabaseMissing, []string{`database "no_such_database" does not exist`}},
		{"role missing", func(_ *testing.T, _ *cdctest.Database, _ Plan, o *Options) {
			o.Config.User = "no_such_role"
		}, Authentication, []string{`role "no_such_role" was refused`}},
		{"no replication privilege", func(t *testing.T, db *cdctest.Database, _ Plan, o *Options) {
			o.Config.User = "Plain " + db.Name
			db.Exec(t, "CREATE ROLE "+quoteIdent(o.Config.User)+" LOGIN")
			t.Cleanup(func() { db.Exec(t, "DROP ROLE "+quoteIdent(o.Config.User)) })
		}, Privilege, []string{"may not stream", `ALTER ROLE "Plain `, `" REPLICATION`}},
		{"no access to the database", func(t *testing.T, db *cdctest.Database, _ Plan, o *Options) {
			o.Config.User = "Shut " + db.Name
			db.Exec(t, "CREATE ROLE "+quoteIdent(o.Config.User)+" LOGIN REPLICATION")
			t.Cleanup(func() { db.Exec(t, "DROP ROLE "+quoteIdent(o.Config.User)) })
			db.Exec(t, "REVOKE CONNECT ON DATABASE "+quoteIdent(db.Name)+" FROM PUBLIC")
		}, Privilege, []string{"may not connect to database", `GRANT CONNECT ON DATABASE "`, `TO "Shut `}},
		{"unreachable from the start", func(_ *testing.T, _ *cdctest.Database, _ Plan, o *Options) {
			o.ConnectPatience = 100 * time.Millisecond
			o.Config.DialFunc = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no route") }
		}, Unreachable, []string{"no connection to the database within 100ms", "no route"}},
		{"refused by OnConnect", func(_ *testing.T, _ *cdctest.Database, _ Plan, o *Options) {
			o.OnConnect = func(_ context.Context, slot Slot) error {
				return &Fault{Reason: Protocol, What: "not this " + slot.Name}
			}
		}, Protocol, []string{"not this slot_"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			db, plan := source(t, cdctest.Postgres(t))
			o := optionsOf(t, db, plan)
			test.breaks(t, db, plan, &o)
			checkFault(t, start(t, o).fault(t), test.reason, test.want...)
		})
	}
}

func TestWALLevelReplicaIsNamed(t *testing.T) {
	t.Parallel()
	server := cdctest.Private(t, throwaway.Options{Settings: map[string]string{"wal_level": "replica"}})
	db := server.Database(t)
	db.Exec(t, "CREATE TABLE a (id integer PRIMARY KEY, v text)")
	plan := planOf(db, "a")
	_, err := Setup(t.Context(), db.Connect(t), plan, nil)
	for _, err := range []error{err, start(t, optionsOf(t, db, plan)).fault(t)} {
		checkFault(t, err, WALLevel, "wal_level is replica: logical decoding needs wal_level = logical: ALTER SYSTEM SET wal_level = 'logical'",
			"rds.logical_replication=1", "cloudsql.logical_decoding=on")
	}
}

func TestWrongPasswordIsNamedAndNotShown(t *testing.T) {
	t.Parallel()
	server := cdctest.Private(t, throwaway.Options{})
	db, plan := source(t, server)
	db.Exec(t, "CREATE ROLE reader LOGIN REPLICATION PASSWORD 'right'")
	rules := "local all reader scram-sha-256\nlocal all all trust\nlocal replication all trust\n"
	if err := os.WriteFile(db.QueryText(t, "SHOW hba_file"), []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	db.Exec(t, "SELECT pg_reload_conf()")
	await(t, func() string {
		if db.QueryText(t, "SELECT count(*) FROM pg_hba_file_rules") != "3" {
			return "the rules are not loaded"
		}
		return ""
	})
	o := optionsOf(t, db, plan)
	o.Config.User, o.Config.Password = "reader", "wr0ng-s3cret"
	err := start(t, o).fault(t)
	checkFault(t, err, Authentication, `role "reader" was refused: check user, password`)
	if strings.Contains(err.Error(), o.Config.Password) {
		t.Errorf("the password is in the error: %v", err)
	}
	o.Config.Password = "right"
	s := start(t, o)
	db.Exec(t, "INSERT INTO a VALUES (1, '')")
	s.collect(t, 1)
}

// TestMovedSlotIsGap and the next damage the slot while the stream is cut off.
func TestMovedSlotIsGap(t *testing.T) {
	t.Parallel()
	checkGap(t, "the slot was moved or recreated by another program", "SELECT pg_replication_slot_advance($1, pg_current_wal_lsn())")
}

func TestDroppedSlotIsGap(t *testing.T) {
	t.Parallel()
	checkGap(t, "the slot was dropped", "SELECT pg_drop_replication_slot($1)")
}

func checkGap(t *testing.T, why, damage string) {
	t.Helper()
	server := cdctest.Postgres(t)
	db, plan := source(t, server)
	proxy := cdctest.NewProxy(t, "unix", server.Socket())
	s := start(t, through(t, optionsOf(t, db, plan), proxy))
	db.Exec(t, "INSERT INTO a VALUES (1, '')")
	s.collect(t, 1)
	proxy.Stall()
	proxy.Cut()
	await(t, func() string {
		if pid := db.QueryText(t, "SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1", plan.Slot); pid != "" {
			return "the slot is in use"
		}
		return ""
	})
	db.Exec(t, "INSERT INTO a VALUES (2, '')")
	db.Exec(t, damage, plan.Slot)
	proxy.Heal()
	err := s.fault(t)
	var gap *Gap
	if !errors.As(err, &gap) || !strings.Contains(gap.Why, why) || gap.From != s.position.progress().confirmed {
		t.Errorf("error %v, want the gap %q from %v on", err, why, s.position.progress().confirmed)
	}
}

// TestPublicationYoungerThanSlot has a change that the slot sees before there
// was a publication. Some servers refuse it, others leave it out in silence;
// which is why Setup tells of tables that it publishes late.
func TestPublicationYoungerThanSlot(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).Database(t)
	db.Exec(t, "CREATE TABLE a (id integer PRIMARY KEY, v text)")
	plan := planOf(db, "a")
	db.Exec(t, "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", plan.Slot)
	db.Exec(t, "INSERT INTO a VALUES (1, '')")
	result, err := Setup(t.Context(), db.Connect(t), plan, nil)
	if err != nil || result.SlotCreated {
		t.Fatalf("set up: %+v, %v", result, err)
	}
	if diff := cmp.Diff(plan.Tables, result.Late); diff != "" {
		t.Errorf("published late (-want +got):\n%s", diff)
	}
	db.Exec(t, "INSERT INTO a VALUES (2, '')")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	parts, err := start(t, optionsOf(t, db, plan)).Next(ctx)
	if err != nil {
		checkFault(t, err, PublicationYounger, "did not exist yet at the position of slot", "pg_drop_replication_slot('"+plan.Slot+"')")
		return
	}
	if got := string(parts[0].Changes[0].New.Text(0)); got != "2" {
		t.Errorf("first change is of row %s, want 2", got)
	}
}

// TestUndecodableChangeIsNamed: the server stops at the same change each time. The stream
// says which one, and how to go on without it, instead of trying again in silence. A
// session that is ended is not taken for that.
func TestUndecodableChangeIsNamed(t *testing.T) {
	t.Parallel()
	db, plan := source(t, cdctest.Postgres(t))
	db.Exec(t, "CREATE TYPE mood AS ENUM ('good', 'bad'); ALTER TABLE a ADD COLUMN mood mood")
	s := start(t, optionsOf(t, db, plan))
	db.Exec(t, "INSERT INTO a VALUES (1, '', 'bad')")
	s.collect(t, 1)
	db.Exec(t, "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1", plan.Slot)
	await(t, func() string {
		if stats := s.Stats(); Final(stats.Fault) || !stats.Connected || stats.Connections < 2 {
			return fmt.Sprintf("fault %v on connection %d", stats.Fault, stats.Connections)
		}
		return ""
	})
	before := db.QueryText(t, "SELECT pg_current_wal_lsn()")
	db.Exec(t, "DELETE FROM pg_enum WHERE enumlabel = 'bad' AND enumtypid = 'mood'::regtype")
	db.Exec(t, "UPDATE a SET v = 'x' WHERE id = 1")
	await(t, func() string {
		if stats := s.Stats(); !Final(stats.Fault) {
			return fmt.Sprintf("fault %v on connection %d", stats.Fault, stats.Connections)
		}
		return ""
	})
	err := s.Stats().Fault
	checkFault(t, err, Undecodable, "pg_drop_replication_slot('"+plan.Slot+"')", "repair --resend", "invalid internal value for enum")
	_, lsn, ok := strings.Cut(err.Error(), "LSN ")
	lsn, _, _ = strings.Cut(lsn, ":")
	if !ok || db.QueryText(t, "SELECT $1::pg_lsn > $2::pg_lsn", lsn, before) != "t" {
		t.Errorf("error %q, want a position after %s in it", err, before)
	}
}

// TestCancelledSessionIsNoUndecodableChange: a person who cancels what the server sends, for
// example since it waits for its client, is not told to give up the slot.
func TestCancelledSessionIsNoUndecodableChange(t *testing.T) {
	t.Parallel()
	db, plan := source(t, cdctest.Postgres(t))
	o := optionsOf(t, db, plan)
	o.PartRows, o.QueueBytes, o.Timeout = 1, 1, patience
	var told logged
	o.Log = slog.New(&told)
	s := start(t, o)
	<-s.Started()
	const rows = 64
	db.Exec(t, "INSERT INTO a SELECT g, repeat('x', 500000) FROM generate_series(1, $1::int) AS g", rows)
	await(t, func() string {
		return db.QueryText(t, "SELECT coalesce((SELECT CASE WHEN wait_event = 'WalSenderWriteData' THEN '' ELSE wait_event END "+
			"FROM pg_stat_activity a JOIN pg_replication_slots ON a.pid = active_pid WHERE slot_name = $1), 'nobody reads')", plan.Slot)
	})
	db.Exec(t, "SELECT pg_cancel_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1", plan.Slot)
	s.collect(t, rows)
	if n, text := s.Stats().Connections, told.text(); n < 2 || !strings.Contains(text, "canceling statement") || strings.Contains(text, "cannot decode") {
		t.Errorf("%d connections; said %q", n, text)
	}
}

// logged is a log that keeps the errors.
type logged struct {
	slog.Handler
	mu  sync.Mutex
	all strings.Builder
}

func (l *logged) Enabled(context.Context, slog.Level) bool { return true }

func (l *logged) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintln(&l.all, r.Message, a)
		return true
	})
	return nil
}

func (l *logged) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

func TestErrorsKeepTheServersMessage(t *testing.T) {
	t.Parallel()
	err := notCreated(context.Background(), nil, "s", time.Second, &pgconn.PgError{Code: "53400", Message: "all replication slots are in use"})
	if !strings.Contains(err.Error(), `create slot "s"`) || !strings.Contains(err.Error(), "all replication slots are in use") {
		t.Errorf("error %v", err)
	}
}

// TestStreamThatHasStreamedWaits: what ends a stream at its beginning is waited out later,
// and said meanwhile; nothing is missed.
func TestStreamThatHasStreamedWaits(t *testing.T) {
	t.Parallel()
	db, plan := source(t, cdctest.Postgres(t))
	role := quoteIdent("Plain " + db.Name)
	db.Exec(t, "CREATE ROLE "+role+" LOGIN REPLICATION")
	t.Cleanup(func() { db.Exec(t, "DROP ROLE "+role) })
	o := optionsOf(t, db, plan)
	o.Config.User = "Plain " + db.Name
	s := start(t, o)
	db.Exec(t, "INSERT INTO a VALUES (1, '')")
	s.collect(t, 1)
	db.Exec(t, "ALTER ROLE "+role+" NOREPLICATION")
	db.Exec(t, "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1", plan.Slot)
	await(t, func() string {
		stats := s.Stats()
		var fault *Fault
		if !errors.As(stats.Fault, &fault) || fault.Reason != Privilege || stats.Connected {
			return fmt.Sprintf("connected: %t, fault: %v", stats.Connected, stats.Fault)
		}
		return ""
	})
	db.Exec(t, "INSERT INTO a VALUES (2, '')")
	db.Exec(t, "ALTER ROLE "+role+" REPLICATION")
	s.collect(t, 1)
	if stats := s.Stats(); stats.Fault != nil || !stats.Connected {
		t.Errorf("connected: %t, fault: %v", stats.Connected, stats.Fault)
	}
}
