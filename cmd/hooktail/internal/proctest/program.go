package proctest

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
)

// Environ returns the environment of a program that uses the database, without the
// variables of the current environment. Later variables override earlier ones. The
// timeout of attempts is long: on a busy machine a healthy receiver must not miss it and
// get a correct duplicate; tests of timeouts set their own.
func Environ(db *cdctest.Database, variables ...string) []string {
	return append([]string{
		"HOOKTAIL_DATABASE_URL=" + db.DSN,
		"HOOKTAIL_SLOT=" + db.Name, // slots belong to the server, not the database
		"HOOKTAIL_HTTP_ADDR=127.0.0.1:0",
		"HOOKTAIL_LOG_LEVEL=debug",
		"HOOKTAIL_TIMEOUT=30s",
	}, variables...)
}

// Program is a hooktail running as a process. It is stopped after the test.
type Program struct {
	Stdout, Stderr *Output
	Ops            string // address of the ops server; "" before Started

	process *os.Process
	ended   chan struct{} // closed when the process has ended
	code    int           // exit code; set before ended is closed
}

// Start runs `hooktail ARGS…` with exactly this environment, without waiting.
func Start(t testing.TB, environ []string, args ...string) *Program {
	t.Helper()
	return StartCommand(t, exec.Command(Binary(t), args...), environ)
}

// StartCommand is Start for a command created by the test.
func StartCommand(t testing.TB, cmd *exec.Cmd, environ []string) *Program {
	t.Helper()
	p := &Program{Stdout: NewOutput(), Stderr: NewOutput(), ended: make(chan struct{})}
	cmd.Env = append(environ, "HOME="+os.Getenv("HOME"))
	cmd.Stdout, cmd.Stderr = p.Stdout, p.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatalf("start the program: %v", err)
	}
	p.process = cmd.Process
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // the exit code is kept
		p.code = cmd.ProcessState.ExitCode()
	}()
	t.Cleanup(func() {
		p.Stop()
		p.Wait(t)
	})
	return p
}

// Run sets up the database, runs hooktail as the role with the least privileges, and
// waits until it is ready.
func Run(t testing.TB, db *cdctest.Database, variables ...string) *Program {
	t.Helper()
	SetUp(t, db, variables...)
	p := Start(t, RoleEnviron(db, variables...), "run")
	p.Ready(t)
	return p
}

// Started waits until the ops server listens.
func (p *Program) Started(t testing.TB) {
	t.Helper()
	p.Ops = p.Stderr.Find(t, `msg="hooktail started".* ops=(\S+)`, p.ended)
}

// StandsBy waits until the program reports that another instance is the leader, and is
// ready to take over.
func (p *Program) StandsBy(t testing.TB) {
	t.Helper()
	p.Ops = p.Stderr.Find(t, `msg="Standing by.* ops=(\S+)`, p.ended)
	p.awaitReady(t)
}

// Ready waits until the program is the leader and reports that it is ready.
func (p *Program) Ready(t testing.TB) {
	t.Helper()
	p.Started(t)
	p.awaitReady(t)
}

func (p *Program) awaitReady(t testing.TB) {
	t.Helper()
	WaitFor(t, func() error {
		status, body := p.Get(t, "/readyz")
		if status != http.StatusOK {
			return fmt.Errorf("not ready: %s", body)
		}
		return nil
	})
}

// Get requests a path of the ops server. Status 0 means no answer.
func (p *Program) Get(t testing.TB, path string) (status int, body string) {
	t.Helper()
	response, err := http.Get("http://" + p.Ops + path)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, strings.TrimSpace(string(text))
}

// PID returns the process id.
func (p *Program) PID() int { return p.process.Pid }

// Stop interrupts the program like Ctrl-C.
func (p *Program) Stop() { p.Signal(os.Interrupt) }

// Signal sends a signal; the program may have ended.
func (p *Program) Signal(s os.Signal) { _ = p.process.Signal(s) }

// Kill sends SIGKILL and waits for the end.
func (p *Program) Kill() {
	p.Signal(os.Kill)
	<-p.ended
}

// Ended is closed when the program has ended.
func (p *Program) Ended() <-chan struct{} { return p.ended }

// Wait waits for the program's end and returns its exit code; -1 if a signal ended it.
func (p *Program) Wait(t testing.TB) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(Patience):
		t.Fatalf("the program does not end:\n%s", p.Stderr)
	}
	return p.code
}

// Confirmed waits until everything committed before the call is delivered or parked, and
// confirmed to the slot named after the database.
func Confirmed(t testing.TB, db *cdctest.Database) {
	t.Helper()
	end := db.QueryText(t, "SELECT pg_current_wal_insert_lsn()")
	WaitFor(t, func() error {
		at := db.QueryText(t, `SELECT CASE WHEN confirmed_flush_lsn >= $1::text::pg_lsn THEN $1 ELSE confirmed_flush_lsn::text END
			FROM pg_replication_slots WHERE slot_name = $2`, end, db.Name)
		switch at {
		case end:
			return nil
		case "":
			t.Fatalf("there is no slot %s", db.Name)
		}
		return fmt.Errorf("the slot is confirmed at %s, not yet at %s", at, end)
	})
}
