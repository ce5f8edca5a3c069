package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

// beProgram makes the test binary be hooktail, for tests that kill it.
const beProgram = "BE_THE_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(beProgram) != "" {
		os.Exit(run())
	}
	os.Exit(cdctest.Main(m))
}

// patient bounds every wait of a test: long, because it is only reached by a
// test that fails.
const patient = 4 * time.Minute

// output collects what a program writes and lets a test wait for it.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written chan struct{}
}

func newOutput() *output { return &output{written: make(chan struct{}, 1)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(p)
	select {
	case o.written <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// find waits until the pattern appears and returns its first group. ended may
// be closed when nothing will be written any more.
func (o *output) find(t *testing.T, pattern string, ended <-chan struct{}) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	timeout := time.NewTimer(patient)
	defer timeout.Stop()
	for {
		if m := re.FindStringSubmatch(o.String()); m != nil {
			return m[len(m)-1]
		}
		select {
		case <-o.written:
		case <-ended:
			if re.FindStringSubmatch(o.String()) == nil {
				t.Fatalf("the program ended without writing %q:\n%s", pattern, o)
			}
		case <-timeout.C:
			t.Fatalf("the program has not written %q:\n%s", pattern, o)
		}
	}
}

// environ is the environment of a program on the database, without the
// variables of whoever runs the tests.
func environ(db *cdctest.Database, variables ...string) []string {
	return append([]string{
		"HOOKTAIL_DATABASE_URL=" + db.DSN,
		"HOOKTAIL_SLOT=" + db.Name, // slots are the server's, not the database's
		"HOOKTAIL_HTTP_ADDR=127.0.0.1:0",
		"HOOKTAIL_LOG_LEVEL=debug",
	}, variables...)
}

// program is a running hooktail.
type program struct {
	ops   string // address
	err   *output
	ended chan struct{} // closed when it has ended
	code  int           // then
	stop  func()        // asks it to end
	kill  func()        // kill -9; child processes alone
}

// start runs `hooktail run --setup` in this process and waits until it is
// ready. It is stopped when the test ends.
func start(t *testing.T, db *cdctest.Database, variables ...string) *program {
	t.Helper()
	return startAs(t, db, []string{"run", "--setup"}, variables...)
}

// startAs is start with another command line.
func startAs(t *testing.T, db *cdctest.Database, args []string, variables ...string) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &program{err: newOutput(), ended: make(chan struct{}), stop: cancel}
	a := &app{
		stdout: io.Discard, stderr: p.err, environ: environ(db, variables...),
		statusInterval: 10 * time.Millisecond, countShare: 1, // exact counts, however slow the machine is
	}
	go func() {
		defer close(p.ended)
		p.code = a.execute(ctx, args)
	}()
	p.whenReady(t)
	return p
}

// startChild runs the program as a process of its own.
func startChild(t *testing.T, db *cdctest.Database, variables ...string) *program {
	t.Helper()
	cmd := exec.Command(os.Args[0], "run", "--setup")
	cmd.Env = append(environ(db, variables...), beProgram+"=1", "HOME="+os.Getenv("HOME"))
	p := &program{err: newOutput(), ended: make(chan struct{})}
	cmd.Stderr = p.err
	if err := cmd.Start(); err != nil {
		t.Fatalf("start the program: %v", err)
	}
	p.stop = func() { _ = cmd.Process.Signal(os.Interrupt) } // it may have ended
	p.kill = func() { _ = cmd.Process.Kill() }
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // the code says it
		p.code = cmd.ProcessState.ExitCode()
	}()
	p.whenReady(t)
	return p
}

func (p *program) whenReady(t *testing.T) {
	t.Helper()
	t.Cleanup(func() { p.end(t) })
	p.ops = p.err.find(t, `msg="hooktail started".* ops=(\S+)`, p.ended)
	waitFor(t, func() error {
		status, body := p.get(t, "/readyz")
		if status != http.StatusOK {
			return fmt.Errorf("not ready: %s", body)
		}
		return nil
	})
}

// end stops the program and returns its exit code.
func (p *program) end(t *testing.T) int {
	t.Helper()
	p.stop()
	select {
	case <-p.ended:
	case <-time.After(patient):
		t.Fatalf("the program does not end:\n%s", p.err)
	}
	return p.code
}

// get asks the ops server.
func (p *program) get(t *testing.T, path string) (status int, body string) {
	t.Helper()
	response, err := http.Get("http://" + p.ops + path)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("read %s: %v", path, err)
	}
	return response.StatusCode, strings.TrimSpace(string(text))
}

// waitFor repeats the check until it is nil; the last error says why not.
func waitFor(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.Now().Add(patient)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		<-tick.C
	}
}

// delivered waits until everything that was committed before it is confirmed,
// and nothing of it parked any more.
func delivered(t *testing.T, db *cdctest.Database) {
	t.Helper()
	confirmed(t, db)
	unparked(t, db)
}

// confirmed waits until everything that was committed before it is delivered or
// parked, and confirmed.
func confirmed(t *testing.T, db *cdctest.Database) {
	t.Helper()
	conn := db.Connect(t)
	defer conn.Close(context.Background())
	var end string
	if err := conn.QueryRow(context.Background(), "SELECT pg_current_wal_insert_lsn()::text").Scan(&end); err != nil {
		t.Fatalf("read WAL position: %v", err)
	}
	waitFor(t, func() error {
		var confirmed string
		var done bool
		err := conn.QueryRow(context.Background(), `SELECT confirmed_flush_lsn::text, confirmed_flush_lsn >= $1::pg_lsn
			FROM pg_replication_slots WHERE slot_name = $2`, end, db.Name).Scan(&confirmed, &done)
		if err != nil {
			t.Fatalf("read slot: %v", err)
		}
		if !done {
			return fmt.Errorf("the slot is confirmed at %s, not yet at %s", confirmed, end)
		}
		return nil
	})
}

// receive starts a receiver for all hooks of the database and points them at it.
func receive(t *testing.T, db *cdctest.Database) *conformance.Collector {
	t.Helper()
	c := &conformance.Collector{}
	point(t, db, c)
	return c
}

// point makes the handler the receiver of all hooks, at /h/{id}, and returns
// its address.
func point(t *testing.T, db *cdctest.Database, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	db.Exec(t, "UPDATE webhook SET url = $1 || '/h/' || id", server.URL)
	return strings.TrimPrefix(server.URL, "http://")
}

// tenHooks replaces the hooks by ten that want everything, at /h/1 to /h/10 of a
// receiver.
func tenHooks(t *testing.T, db *cdctest.Database) *dispatchtest.Server {
	t.Helper()
	r := dispatchtest.Receiver(t)
	db.Exec(t, "DELETE FROM webhook_action")
	db.Exec(t, "DELETE FROM webhook")
	db.Exec(t, `INSERT INTO webhook (id, url, organization_id, project_id, send_payload, send_for_all_actions, headers, is_active, created_at, updated_at)
		SELECT n, $1 || '/h/' || n, 1, 1, true, true, '{}', true, now() - interval '1 day', now() FROM generate_series(1, 10) n`, r.URL)
	return r
}

// path is the hook's at the receiver of tenHooks.
func path(hook int) string { return fmt.Sprintf("/h/%d", hook) }

// parkedRows is how many deliveries are stored in that state.
func parkedRows(t *testing.T, db *cdctest.Database, state string) string {
	t.Helper()
	return db.QueryText(t, "SELECT count(*) FROM hooktail.parked WHERE state = $1", state)
}

// unparked waits until nothing is parked.
func unparked(t *testing.T, db *cdctest.Database) {
	t.Helper()
	waitFor(t, func() error {
		if n := parkedRows(t, db, "parked"); n != "0" {
			return fmt.Errorf("%s deliveries are parked", n)
		}
		return nil
	})
}
