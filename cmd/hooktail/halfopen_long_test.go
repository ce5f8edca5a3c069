//go:build long

package main

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/internal/relay"
)

// TestEveryHalfOpenConnectionIsNoticed: whichever connections of the program deliver
// nothing any more, and of which nobody says that they are gone, the program notices it by
// deadlines of its own, is not ready meanwhile where events wait for it, and goes on with
// new ones: in the middle of a term, and where a term begins with what the one before has
// left.
func TestEveryHalfOpenConnectionIsNoticed(t *testing.T) {
	t.Parallel()
	// Longer than every patience that applies: 30 s for a question, and the server's 14 s
	// for the session of the lock; and a slow machine.
	const bound = 100 * time.Second
	for _, test := range []struct {
		name  string
		kinds []cdctest.Kind
		begin bool     // the term ends at the same time, by the server's doing
		says  []string // why it is not ready: one of these; none: it is
	}{
		{"queries", []cdctest.Kind{cdctest.Queries}, false, []string{"heartbeat could not be written", "stale", "no event was delivered"}},
		{"replication", []cdctest.Kind{cdctest.Replication}, false, []string{"no replication connection", "stale"}},
		{"lock", []cdctest.Kind{cdctest.Lock}, false, []string{"not the leader"}},
		{"listen", []cdctest.Kind{cdctest.Listen}, false, nil},
		{"queries as a term begins", []cdctest.Kind{cdctest.Queries, cdctest.Listen, cdctest.Replication}, true, []string{"starting", "not the leader", "no replication connection", "heartbeat"}},
		{"all", nil, false, []string{"not the leader", "heartbeat", "stale"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, proxy, db, c := startThrough(t, 500*time.Millisecond)

			begun := time.Now()
			if proxy.Forget(test.kinds...) == 0 {
				t.Fatal("there is no such connection")
			}
			if test.begin {
				db.Exec(t, "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")
			}
			if test.says != nil {
				p.unreadyFor(t, test.says...)
				t.Logf("noticed after %s", time.Since(begun).Round(100*time.Millisecond))
			}
			db.Exec(t, annotate, 8)
			if test.says == nil { // people's changes are known in spite of it
				db.Exec(t, "INSERT INTO hooktail.hook_setting (hook_id, paused) VALUES (2, true)")
				db.Exec(t, "NOTIFY hooktail, 'hooktail'")
				p.err.Find(t, "(Notifications of changed settings are interrupted)", p.ended)
			}
			delivered(t, db)
			if got := annotationsOf(t, c.Take(), 1); len(got) != 1 {
				t.Errorf("annotations %v, want one", got)
			}
			p.whenReadyAgain(t)
			if strings.Contains(p.err.String(), "another instance leads") {
				t.Errorf("it took its own lock for another instance's:\n%s", p.err)
			}
			if took := time.Since(begun); took > bound {
				t.Errorf("well again after %s, want at most %s", took, bound)
			} else {
				t.Logf("well again after %s", took.Round(100*time.Millisecond))
			}
		})
	}
}

// startThrough starts the program, with heartbeats that often, on a database behind a proxy. It has
// delivered something, which was taken.
func startThrough(t *testing.T, beats time.Duration) (*program, *cdctest.Proxy, *cdctest.Database, *conformance.Collector) {
	t.Helper()
	server := cdctest.Postgres(t)
	db := server.LabelStudio(t)
	c := receive(t, db)
	proxy := cdctest.NewProxy(t, "unix", server.Socket())
	setUpOnce(t, db)
	through := url.URL{Scheme: "postgres", User: url.User("hooktail"), Host: proxy.Addr(), Path: "/" + db.Name, RawQuery: "sslmode=disable"}
	p := startTuned(t, relay.Tuning{BeatEvery: beats, StreamTimeout: 4 * time.Second}, []string{"run"},
		proctest.RoleEnviron(db, "HOOKTAIL_SETTLE=0", "HOOKTAIL_DATABASE_URL="+through.String()))
	db.Exec(t, annotate, 7)
	delivered(t, db)
	c.Take()
	return p, proxy, db, c
}

// unreadyFor waits until the program is not ready for one of the reasons.
func (p *program) unreadyFor(t *testing.T, reasons ...string) {
	t.Helper()
	proctest.Catch(t, func() error {
		_, body := p.get(t, "/readyz")
		for _, reason := range reasons {
			if strings.Contains(body, reason) {
				return nil
			}
		}
		return &unexpected{body, reasons}
	})
}

type unexpected struct {
	got  string
	want []string
}

func (u *unexpected) Error() string {
	return "/readyz says " + u.got + ", want one of: " + strings.Join(u.want, ", ")
}

// TestHalfOpenConnectionIsNoticed: a replication connection that brings nothing
// any more, and of which nobody says that it is gone, shows in metric and
// readiness and is made anew, and hooktail goes on; if that does not help, it ends
// with a sentence that says so.
func TestHalfOpenConnectionIsNoticed(t *testing.T) {
	t.Parallel()
	const every = 500 * time.Millisecond
	p, proxy, db, c := startThrough(t, every)

	proxy.StallReplication()
	p.err.Find(t, "(no heartbeat came back: reconnecting)", p.ended)
	if away := p.metric(t, "hooktail_heartbeat_seconds"); away < (3 * every).Seconds() {
		t.Errorf("hooktail_heartbeat_seconds = %v while none comes back", away)
	}
	p.unready(t, "no replication connection")
	db.Exec(t, annotate, 8)
	proxy.Heal()
	delivered(t, db)
	if got := annotationsOf(t, c.Take(), 1); len(got) != 1 {
		t.Errorf("annotations %v arrived after the connection was made anew, want one", got)
	}
	if n := p.metric(t, "hooktail_reconnects_total"); n == 0 {
		t.Error("hooktail_reconnects_total = 0")
	}

	proxy.StallReplication()
	select {
	case <-p.ended:
	case <-time.After(patient):
		t.Fatalf("the program goes on without a stream:\n%s", p.err)
	}
	if p.code != exitFailed || !strings.Contains(p.err.String(), "hooktail: the replication stream is dead") {
		t.Errorf("exit code = %d:\n%s", p.code, p.err)
	}
}

// TestServerThatWorksInSilenceIsWaitedFor: up to PostgreSQL 15, a server that passes over a
// rewritten table sends nothing. It is not taken for a connection that is half open: a new
// one would make it begin again, and end the program after that.
func TestServerThatWorksInSilenceIsWaitedFor(t *testing.T) {
	t.Parallel()
	p, _, db, c := startThrough(t, 500*time.Millisecond)
	db.Exec(t, "CREATE TABLE big AS SELECT g AS id FROM generate_series(1, 2000000) AS g")
	db.Exec(t, "ALTER TABLE big ALTER COLUMN id TYPE bigint")
	db.Exec(t, annotate, 8)
	delivered(t, db)
	if got := annotationsOf(t, c.Take(), 1); len(got) != 1 {
		t.Errorf("annotations %v, want one", got)
	}
	if strings.Contains(p.err.String(), "no heartbeat came back") {
		t.Errorf("it took work for silence:\n%s", p.err)
	}
}
