package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cdc/throwaway"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestCredentialsAreReadAgain: a password that is changed under a program that runs ends
// nothing. It says so, and goes on with the one that the file has then.
func TestCredentialsAreReadAgain(t *testing.T) {
	t.Parallel()
	server := cdctest.Private(t, throwaway.Options{})
	db := server.LabelStudio(t)
	c := receive(t, db)
	setUpOnce(t, db)
	db.Exec(t, "ALTER ROLE hooktail PASSWORD 'first'")
	rules := "local all hooktail scram-sha-256\nlocal all all trust\nlocal replication all trust\n"
	if err := os.WriteFile(db.QueryText(t, "SHOW hba_file"), []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	db.Exec(t, "SELECT pg_reload_conf()")
	file := filepath.Join(t.TempDir(), "url")
	write := func(password string) {
		t.Helper()
		text := strings.Replace(proctest.RoleDSN(db), "hooktail@", "hooktail:"+password+"@", 1)
		if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first")
	p := startAs(t, db, []string{"run"}, "HOOKTAIL_DATABASE_URL=", "HOOKTAIL_DATABASE_URL_FILE="+file)
	db.Exec(t, "ALTER ROLE hooktail PASSWORD 's3cond'")
	db.Exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'hooktail'")
	p.unready(t, `role "hooktail" was refused`)
	db.Exec(t, annotate, 7)
	write("s3cond")
	delivered(t, db)
	if got := annotationsOf(t, c.Take(), 1); len(got) != 1 {
		t.Errorf("annotations %v, want one", got)
	}
	if log := p.err.String(); !strings.Contains(log, "level=ERROR") || strings.Contains(log, "s3cond") {
		t.Errorf("the log has no error, or the password:\n%s", log)
	}
}

// TestRefusedSessionIsOneLine: the log names the reason why the server refuses a
// session, whichever of them it refuses, in one line and without the TLS that was optional.
func TestRefusedSessionIsOneLine(t *testing.T) {
	t.Parallel()
	server := cdctest.Postgres(t)
	for _, sessions := range []int{1, 3, 4, 5} { // reading the hooks, the store, the settings, the heartbeat
		t.Run(strconv.Itoa(sessions), func(t *testing.T) {
			t.Parallel()
			db := server.LabelStudio(t)
			setUpOnce(t, db)
			db.Exec(t, fmt.Sprintf("ALTER DATABASE %s CONNECTION LIMIT %d", db.Name, sessions))
			url := fmt.Sprintf("postgres://hooktail@%s/%s?sslmode=prefer", cdctest.NewProxy(t, "unix", server.Socket()).Addr(), db.Name)
			p := proctest.Start(t, proctest.RoleEnviron(db, "HOOKTAIL_DATABASE_URL="+url), "run")
			p.Stderr.Find(t, "SQLSTATE 53300", p.Ended())
			if log := p.Stderr.String(); strings.Contains(log, "TLS") || strings.Contains(log, `\n\t`) {
				t.Errorf("%s", log)
			}
		})
	}
}

// whenReadyAgain waits until the program is ready.
func (p *program) whenReadyAgain(t *testing.T) {
	t.Helper()
	proctest.WaitFor(t, func() error {
		if status, body := p.get(t, "/readyz"); status != http.StatusOK {
			return fmt.Errorf("not ready: %s", body)
		}
		return nil
	})
}

// TestEveryReconnectIsCounted, whichever session of the leader has ended: that of the lock
// takes the stream with it.
func TestEveryReconnectIsCounted(t *testing.T) {
	t.Parallel()
	db := cdctest.Postgres(t).LabelStudio(t)
	setUpOnce(t, db)
	p := start(t, db)
	for _, sessions := range []string{
		"pid IN (SELECT active_pid FROM pg_replication_slots WHERE database = current_database())",
		"pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')",
		"true",
	} {
		before := p.metric(t, "hooktail_reconnects_total")
		db.Exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hooktail' AND datname = current_database() AND "+sessions)
		proctest.WaitFor(t, func() error {
			if n := p.metric(t, "hooktail_reconnects_total"); n <= before {
				return fmt.Errorf("sessions where %s: %g reconnects, as before", sessions, n)
			}
			return nil
		})
		p.whenReadyAgain(t)
	}
}
