//go:build long

package main

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/dispatch/dispatchtest"
)

// The hooks of a hostile neighbourhood.
const (
	healthyPath = "/healthy" // of hook 1
	hostilePath = "/hostile" // of hook 2, if a receiver is to answer for it
	movedPath   = "/moved"   // where the redirect points to
)

// fate is what has to become of the hostile hook's deliveries.
type fate uint8

const (
	fateParked    fate = iota // all of them are parked
	fateGone                  // all of them are dead, with reason gone
	fateDelivered             // all of them are delivered
	fateSlow                  // they are delivered or parked
)

// TestHostileHooksDelayOnlyThemselves: whatever a hook does to hooktail, the
// hook beside it gets everything, in order and as soon as alone (p99 within twice
// as long), and the slot moves on.
func TestHostileHooksDelayOnlyThemselves(t *testing.T) {
	t.Parallel()
	turns := make(chan struct{}, 2) // more at a time would measure each other
	for _, tt := range []struct {
		name   string
		hook   neighbour
		result string // label of its attempts
		fate   fate
	}{
		{"answers 500", scripted(dispatchtest.Status(500)), "5xx", fateParked},
		{"hangs", scripted(dispatchtest.Hang()), "timeout", fateParked},
		{"resets", scripted(dispatchtest.Reset()), "reset", fateParked},
		{"refuses", away("http://127.0.0.1:1/"), "refused", fateParked}, // tcpmux: nobody listens
		{"drips its header", scripted(dispatchtest.SlowHeader(50 * time.Millisecond)), "timeout", fateParked},
		// The status decides: it came at once. Reading on costs the hook's own time.
		{"drips its body", scripted(dispatchtest.SlowBody(200, 50*time.Millisecond)), "2xx", fateSlow},
		{"redirects", scripted(dispatchtest.Redirect(302, movedPath)), "3xx", fateParked},
		{"asks to wait", scripted(dispatchtest.RetryAfter(429, "30")), "4xx", fateParked},
		{"is gone", scripted(dispatchtest.Status(410)), "4xx", fateGone},
		{"answers without end", scripted(dispatchtest.EndlessBody(200)), "2xx", fateDelivered},
		{"has the certificate of another host", wrongName, "tls", fateParked},
		{"has a certificate of an unknown authority", unknownAuthority, "tls", fateParked},
		{"has a name without an address", away("http://hooktail-test.invalid/"), "dns", fateParked},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			turns <- struct{}{}
			t.Cleanup(func() { <-turns })
			n := meet(t, tt.hook)
			n.load(t, warm)
			alone, beside, rounds := n.compare(t, tt.result)
			begun := time.Now()
			proctest.Confirmed(t, n.db)
			t.Logf("| %-41s | %-7s | %8s | %8s | %2d | %8s |", tt.name, tt.result, alone.Round(100*time.Microsecond),
				beside.Round(100*time.Microsecond), rounds, time.Since(begun).Round(time.Millisecond))
			if most := max(2*alone, floor()); beside > most {
				t.Errorf("p99 from commit to arrival = %s, want at most %s; alone it is %s", beside, most, alone)
			}
			n.complete(t)
			n.met(t, tt.fate)
		})
	}
}

// A round measures that many annotations with the hostile hook switched off, and as
// many with it on. Of each, the best p99 of all rounds counts: where two cores have
// PostgreSQL and other tests to run as well, a round now and then measures the
// machine, but a hostile hook that others wait for is in the way in every round.
const (
	measured  = 100
	warm      = 30
	rounds    = 3  // at least
	allRounds = 12 // where the bound is not met earlier

	beat = 8 * time.Millisecond // from one annotation to the next
)

// floor is what counts as soon, whatever it is alone: a tenth of what waiting for a
// single attempt at a hook that hangs costs, and half of it where the race detector
// makes everything slow.
func floor() time.Duration {
	if proctest.RaceEnabled {
		return 500 * time.Millisecond
	}
	return 100 * time.Millisecond
}

// neighbour makes the hostile hook's URL, on r or elsewhere, and says which
// variables of the program go with it.
type neighbour func(t *testing.T, r *dispatchtest.Server) (url string, variables []string)

// scripted answers as the step does.
func scripted(step dispatchtest.Step) neighbour {
	return func(_ *testing.T, r *dispatchtest.Server) (string, []string) {
		r.Script(hostilePath, step)
		return r.URL + hostilePath, nil
	}
}

// away is a URL where no test answers.
func away(url string) neighbour {
	return func(*testing.T, *dispatchtest.Server) (string, []string) { return url, nil }
}

// unknownAuthority is a receiver whose certificate nobody vouches for.
func unknownAuthority(t *testing.T, _ *dispatchtest.Server) (string, []string) {
	return secured(t).URL, nil
}

// wrongName is a receiver whose certificate is trusted, for 127.0.0.1, and that
// the hook calls by another name.
func wrongName(t *testing.T, _ *dispatchtest.Server) (string, []string) {
	server := secured(t)
	authority := filepath.Join(t.TempDir(), "ca.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}
	if err := os.WriteFile(authority, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return "https://localhost:" + u.Port(), []string{"HOOKTAIL_TLS_CA_FILE=" + authority}
}

// secured is a receiver with TLS that must never get a request.
func secured(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a receiver without trust got a request")
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // each handshake fails, as it has to
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// neighbourhood is a program with a healthy and a hostile hook.
type neighbourhood struct {
	db       *cdctest.Database
	program  *program
	receiver *dispatchtest.Server
	made     map[string][]string // annotations by task, in order
	total    int                 // of made
	before   int                 // of them, when the hostile hook became active
	earlier  int                 // requests at it by then
}

// meet starts the program with the healthy hook active, and the hostile one not
// yet.
func meet(t *testing.T, hook neighbour) *neighbourhood {
	t.Helper()
	n := &neighbourhood{db: cdctest.Postgres(t).LabelStudio(t), receiver: dispatchtest.Receiver(t), made: make(map[string][]string)}
	hostile, variables := hook(t, n.receiver)
	n.db.Exec(t, "UPDATE webhook SET is_active = false WHERE id > 2")
	n.db.Exec(t, `UPDATE webhook SET organization_id = 1, project_id = 1, send_payload = true, send_for_all_actions = true,
		headers = '{}', is_active = id = 1, url = CASE id WHEN 1 THEN $1 ELSE $2 END WHERE id <= 2`, n.receiver.URL+healthyPath, hostile)
	n.program = start(t, n.db, append(variables, "HOOKTAIL_SETTLE=0", "HOOKTAIL_TIMEOUT=1s")...)
	return n
}

// load makes that many annotations, of tasks 7 to 12 in turn, one after the other, and
// returns the healthy hook's requests for them. It is slow enough that nothing piles
// up: what is measured is how long an event takes, not how many there can be.
func (n *neighbourhood) load(t *testing.T, count int) []dispatchtest.Request {
	t.Helper()
	ctx := context.Background()
	conn := n.db.Connect(t)
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for i := range count {
		<-tick.C
		task := 7 + i%6
		var id int64
		if err := conn.QueryRow(ctx, annotate, task).Scan(&id); err != nil {
			t.Fatalf("annotate task %d: %v", task, err)
		}
		n.made[strconv.Itoa(task)] = append(n.made[strconv.Itoa(task)], strconv.FormatInt(id, 10))
	}
	begun := n.total
	n.total += count
	return n.receiver.Wait(t, healthyPath, n.total)[begun:]
}

// compare is the healthy hook's best p99 without and with the hostile hook beside
// it, which is on in the end.
func (n *neighbourhood) compare(t *testing.T, result string) (alone, beside time.Duration, made int) {
	t.Helper()
	alone, beside = time.Hour, time.Hour
	for made < rounds || made < allRounds && beside > max(2*alone, floor()) {
		n.deactivate(t)
		alone = min(alone, n.latency(t))
		n.activate(t, result)
		beside = min(beside, n.latency(t))
		made++
	}
	return alone, beside, made
}

// latency is how long after its commit an event arrives at the healthy hook, at the
// 99th percentile.
func (n *neighbourhood) latency(t *testing.T) time.Duration {
	t.Helper()
	var late []time.Duration
	for _, request := range n.load(t, measured) {
		commit, err := time.Parse(time.RFC3339Nano, request.Header.Get("hooktail-commit-time"))
		if err != nil {
			t.Fatalf("parse time of commit: %v", err)
		}
		late = append(late, request.Arrived.Sub(commit))
	}
	slices.Sort(late)
	return late[len(late)*99/100]
}

// deactivate switches the hostile hook off, and discards what is stored for it: it would
// be kept until the hook is on again.
func (n *neighbourhood) deactivate(t *testing.T) {
	t.Helper()
	n.db.Exec(t, "UPDATE webhook SET is_active = false, updated_at = now() WHERE id = 2")
	n.load(t, 1) // the hook is off for what follows
	proctest.Confirmed(t, n.db)
	n.db.Exec(t, "DELETE FROM hooktail.parked WHERE hook_id = 2")
	n.earlier = len(n.receiver.Requests(hostilePath))
}

// activate makes the hostile hook active and waits until an attempt at it has
// come to that result.
func (n *neighbourhood) activate(t *testing.T, result string) {
	t.Helper()
	n.before = n.total
	n.db.Exec(t, "UPDATE webhook SET is_active = true, updated_at = now() WHERE id = 2")
	n.load(t, warm)
	count := regexp.MustCompile(`(?m)^hooktail_delivery_attempts_total\{hook="2",result="(\w+)"\} [1-9]`)
	proctest.WaitFor(t, func() error {
		_, body := n.program.get(t, "/metrics")
		var results []string
		for _, m := range count.FindAllStringSubmatch(body, -1) {
			results = append(results, m[1])
		}
		if !slices.Equal(results, []string{result}) {
			return fmt.Errorf("results of the attempts at the hostile hook: %q, want %q alone", results, result)
		}
		return nil
	})
}

// complete asserts that the healthy hook got everything, once but for attempts
// that a busy machine has not answered in time, and what is of one task in order.
func (n *neighbourhood) complete(t *testing.T) {
	t.Helper()
	got, seen, repeated := make(map[string][]string), make(map[string]bool), 0
	for _, request := range n.receiver.Requests(healthyPath) {
		if seen[request.Event] {
			repeated++
			continue
		}
		seen[request.Event] = true
		task := idOf(t, request.Body, "task")
		got[task] = append(got[task], idOf(t, request.Body, "annotation"))
	}
	if diff := cmp.Diff(n.made, got); diff != "" {
		t.Errorf("annotations by task at the healthy hook (-want +got):\n%s", diff)
	}
	if late := n.program.attempts(t, 1, "timeout"); repeated > late {
		t.Errorf("%d requests repeated one that was answered in time", repeated-late)
	}
}

// met asserts that the hostile hook's deliveries met that fate, as soon as the
// slot is confirmed.
func (n *neighbourhood) met(t *testing.T, f fate) {
	t.Helper()
	all := n.total - n.before
	parked := n.stored(t, "state = 'parked'")
	gone := n.stored(t, "state = 'dead' AND reason = 'gone'")
	dead := n.stored(t, "state = 'dead'")
	delivered := make(map[string]bool)
	if f == fateDelivered || f == fateSlow {
		for _, request := range n.receiver.Requests(hostilePath)[n.earlier:] {
			delivered[request.Event] = true
		}
	}
	if f == fateSlow { // some may be both: stored while they were on their way
		for _, event := range n.events(t) {
			delivered[event] = true
		}
		parked = 0
	}
	type counts struct{ parked, gone, dead, delivered int }
	got := counts{parked, gone, dead, len(delivered)}
	var want counts
	switch f {
	case fateParked:
		want = counts{parked: all}
	case fateGone:
		want = counts{gone: all, dead: all}
	case fateDelivered, fateSlow:
		want = counts{delivered: all}
	}
	if got != want {
		t.Errorf("deliveries of the hostile hook: %+v, want %+v", got, want)
	}
	if n := len(n.receiver.Requests(movedPath)); n > 0 {
		t.Errorf("%d requests followed a redirect", n)
	}
}

// stored is how many rows of the hostile hook are in that condition.
func (n *neighbourhood) stored(t *testing.T, condition string) int {
	t.Helper()
	rows, err := strconv.Atoi(n.db.QueryText(t, "SELECT count(*) FROM hooktail.parked WHERE hook_id = 2 AND "+condition))
	if err != nil {
		t.Fatalf("count rows: %v", err)
	}
	return rows
}

// events is what is parked for the hostile hook.
func (n *neighbourhood) events(t *testing.T) []string {
	t.Helper()
	return strings.Fields(n.db.QueryText(t, "SELECT coalesce(string_agg(event_id, ' '), '') FROM hooktail.parked WHERE hook_id = 2 AND state = 'parked'"))
}
