package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
	"github.com/hooktail/hooktail/internal/relay"
)

func TestMain(m *testing.M) { os.Exit(proctest.Main(m)) }

// patient bounds every wait of a test.
const patient = proctest.Patience

// program is a running hooktail.
type program struct {
	ops   string      // address
	ready chan string // has it when the program is ready
	err   *proctest.Output
	ended chan struct{} // closed when it has ended
	code  int           // then
	stop  func()        // asks it to end
}

// start sets the database up as its owner and runs `hooktail run` as the role with
// the least privileges, in this process, and waits until it is ready. It is stopped
// when the test ends.
func start(t *testing.T, db *cdctest.Database, variables ...string) *program {
	t.Helper()
	setUpOnce(t, db, variables...)
	return startAs(t, db, []string{"run"}, variables...)
}

// startAround is start of each program around the log. The last one reads the slot. nil: there
// is no log.
func startAround(t *testing.T, log *proctest.Log, db *cdctest.Database, variables ...string) (programs []*program) {
	t.Helper()
	for _, of := range log.Variables(variables...) {
		programs = append(programs, start(t, db, of...))
	}
	return programs
}

// setUpOnce is proctest.SetUp in this process.
func setUpOnce(t *testing.T, db *cdctest.Database, variables ...string) {
	t.Helper()
	if proctest.IsSetUp(t, db) {
		return
	}
	must(t, proctest.Environ(db, variables...), "setup")
	proctest.Grant(t, db)
}

// startAs is start with another command line, on a database that was set up.
func startAs(t *testing.T, db *cdctest.Database, args []string, variables ...string) *program {
	t.Helper()
	return startTuned(t, relay.Tuning{}, args, proctest.RoleEnviron(db, variables...))
}

// startOwner runs `hooktail run --setup` as the owner of the tables: the hooks are read
// under the snapshot of the slot.
func startOwner(t *testing.T, db *cdctest.Database, variables ...string) *program {
	t.Helper()
	return startTuned(t, relay.Tuning{}, []string{"run", "--setup"}, proctest.Environ(db, variables...))
}

// startTuned is startAs with other tuning and exactly this environment. The program is
// a guest: under its memory limit the collector would have no end of looking through
// what the tests themselves hold.
func startTuned(t *testing.T, tuned relay.Tuning, args, environ []string) *program {
	t.Helper()
	p := launch(tuned, args, environ)
	p.whenReady(t)
	return p
}

// startAlone runs `hooktail run` with exactly this environment, and does not wait until it is
// ready.
func startAlone(t *testing.T, environ []string) *program {
	t.Helper()
	p := launch(relay.Tuning{}, []string{"run"}, environ)
	t.Cleanup(func() { p.end(t) })
	return p
}

func launch(tuned relay.Tuning, args, environ []string) *program {
	tuned.Guest = true
	tuned.StatusInterval, tuned.MarkEvery, tuned.CountShare = 10*time.Millisecond, 10*time.Millisecond, 1 // exact counts, however slow the machine is
	ctx, cancel := context.WithCancel(context.Background())
	p := &program{err: proctest.NewOutput(), ready: make(chan string, 1), ended: make(chan struct{}), stop: cancel}
	tuned.Ready = func(ops string) { p.ready <- ops }
	a := &app{
		stdout: io.Discard, stderr: p.err, environ: environ, Tuning: tuned,
	}
	go func() {
		defer close(p.ended)
		p.code = a.execute(ctx, args)
	}()
	return p
}

func (p *program) whenReady(t *testing.T) {
	t.Helper()
	t.Cleanup(func() { p.end(t) })
	select {
	case p.ops = <-p.ready:
	case <-p.ended:
		t.Fatalf("the program has ended with exit code %d:\n%s", p.code, p.err)
	case <-time.After(patient):
		t.Fatalf("the program is not ready:\n%s", p.err)
	}
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

// attempts is how many of the hook's attempts came to that result, by the metrics.
func (p *program) attempts(t *testing.T, hook int, result string) int {
	t.Helper()
	_, body := p.get(t, "/metrics")
	line := regexp.MustCompile(fmt.Sprintf(`(?m)^hooktail_delivery_attempts_total\{hook="%d",result="%s"\} (\d+)$`, hook, result))
	m := line.FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("/metrics has no attempts of hook %d with the result %s:\n%s", hook, result, body)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// delivered waits until everything that was committed before it is confirmed,
// and nothing of it parked any more.
func delivered(t *testing.T, db *cdctest.Database) {
	t.Helper()
	deliveredThrough(t, nil, db)
}

// deliveredThrough is delivered, by way of a log.
func deliveredThrough(t *testing.T, log *proctest.Log, db *cdctest.Database) {
	t.Helper()
	log.Delivered(t, db)
	unparked(t, db)
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

// unparked waits until nothing is parked, but for hooks that are switched off: they keep
// what they have.
func unparked(t *testing.T, db *cdctest.Database) {
	t.Helper()
	proctest.WaitFor(t, func() error {
		n := db.QueryText(t, `SELECT count(*) FROM hooktail.parked p LEFT JOIN webhook w ON w.id = p.hook_id LEFT JOIN hooktail.hook_setting s ON s.hook_id = p.hook_id
			WHERE p.state = 'parked' AND (w.id IS NULL OR w.is_active OR s.adopted)`)
		if n != "0" {
			return fmt.Errorf("%s deliveries are parked", n)
		}
		return nil
	})
}
