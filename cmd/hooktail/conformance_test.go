package main

import (
	"context"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
	"github.com/hooktail/hooktail/testdata"
)

// recordings is where the recorded scenarios are.
const recordings = "../../testdata/labelstudio"

// TestConformanceGuide does so by the rules of the guide, which a second, small
// derivation applies to the recorded rows.
func TestConformanceGuide(t *testing.T) {
	t.Parallel()
	conformsToGuide(t, newPlayer(t, cdctest.Postgres(t).LabelStudio(t)))
}

// soon is the variable that makes events settle at once, where the player sees
// to it that the call has ended.
const soon = "HOOKTAIL_SETTLE=1ms"

func conformsToNative(t *testing.T, play *player, variables ...string) {
	t.Helper()
	scenarios := loadScenarios(t)
	play.start(t, append(variables, "HOOKTAIL_PROFILE=native", "HOOKTAIL_SEND_SECRETS=true")...)
	var results []conformance.Result
	for _, s := range scenarios {
		results = append(results, conformance.CompareNative(s, play.scenario(t, s), true))
	}
	reportResults(t, results)
}

func conformsToGuide(t *testing.T, play *player, variables ...string) {
	t.Helper()
	scenarios := loadScenarios(t)
	want := derive(t, scenarios, conformance.Derivation{Profile: conformance.Guide})
	play.start(t, variables...)
	var results []conformance.Result
	for _, s := range scenarios {
		results = append(results, conformance.CompareDerived(s.Name, want[s.Name], play.scenario(t, s)))
	}
	reportResults(t, results)
}

func loadScenarios(t *testing.T) []conformance.Scenario {
	t.Helper()
	scenarios, err := conformance.Scenarios(recordings + "/scenarios")
	if err != nil {
		t.Fatalf("load scenarios: %v", err)
	}
	if len(scenarios) != 64 {
		t.Fatalf("%d scenarios, want 64", len(scenarios))
	}
	return scenarios
}

// derive is what the hooks are to get in each scenario by the second derivation.
func derive(t *testing.T, scenarios []conformance.Scenario, d conformance.Derivation) map[string][]conformance.Derived {
	t.Helper()
	read := func(name string) string {
		text, err := os.ReadFile(recordings + "/" + name)
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		return string(text)
	}
	d.Schema, d.Base = read("schema.sql"), read("base.sql")
	want, err := d.Derive(scenarios)
	if err != nil {
		t.Fatalf("derive: %v", err)
	}
	return want
}

// player plays scenarios on a database.
type player struct {
	db        *cdctest.Database
	through   *cdctest.Database // the same for the program: by way of the proxy
	proxy     *cdctest.Proxy
	conn      *pgx.Conn
	collector *conformance.Collector
	address   string        // of the collector
	log       *proctest.Log // nil: there is none
	after     func()        // is called after each call has been played; nil: nothing is
}

// newPlayer points the hooks of the database at a collector. The program is to
// be started before or after, on the database `through`.
func newPlayer(t *testing.T, db *cdctest.Database) *player {
	t.Helper()
	config, err := pgconn.ParseConfig(db.DSN)
	if err != nil {
		t.Fatalf("parse the server's address: %v", err)
	}
	network, socket := pgconn.NetworkAddress(config.Host, config.Port)
	p := &player{db: db, proxy: cdctest.NewProxy(t, network, socket), conn: db.Connect(t), collector: &conformance.Collector{}}
	p.through = db.At(db.Name, "postgres://"+config.User+"@"+p.proxy.Addr()+"/"+config.Database+"?sslmode=disable")
	p.address = point(t, db, p.collector)
	return p
}

// start runs the program, or those around the log, and returns the one that reads the slot.
func (p *player) start(t *testing.T, variables ...string) *program {
	t.Helper()
	programs := p.startAll(t, variables...)
	return programs[len(programs)-1]
}

func (p *player) startAll(t *testing.T, variables ...string) []*program {
	t.Helper()
	return startAround(t, p.log, p.through, variables...)
}

// delivered waits until everything that was played is delivered.
func (p *player) delivered(t *testing.T) {
	t.Helper()
	deliveredThrough(t, p.log, p.db)
}

// scenario plays one, with a pause after each call until everything is
// delivered, and returns what arrived. The program sees nothing of a call before
// it has ended, however long the machine takes to play it: payloads show the
// state then.
func (p *player) scenario(t *testing.T, s conformance.Scenario) []conformance.Request {
	t.Helper()
	return p.calls(t, s, func(call []string) {
		p.proxy.Stall()
		defer p.proxy.Heal()
		p.play(t, call)
	})
}

// scenarioLive does so while the program looks on.
func (p *player) scenarioLive(t *testing.T, s conformance.Scenario) []conformance.Request {
	t.Helper()
	return p.calls(t, s, func(call []string) { p.play(t, call) })
}

func (p *player) calls(t *testing.T, s conformance.Scenario, play func(call []string)) []conformance.Request {
	t.Helper()
	calls, err := s.Calls()
	if err != nil {
		t.Fatalf("split %s: %v", s.Name, err)
	}
	for _, call := range calls {
		play(call)
		if p.after != nil {
			p.after()
		}
		p.delivered(t)
	}
	return p.collector.Take()
}

// play runs recorded statements with the hooks' address replaced.
func (p *player) play(t *testing.T, statements []string) {
	t.Helper()
	for _, statement := range statements {
		if err := testdata.Play(context.Background(), p.conn, []string{conformance.Readdress(statement, p.address)}); err != nil {
			t.Fatal(err)
		}
	}
}

// reportResults prints the table, and the differences as failures.
func reportResults(t *testing.T, results []conformance.Result) {
	t.Helper()
	t.Logf("\n%s", conformance.Table(results))
	for _, r := range results {
		for _, problem := range r.Problems {
			t.Error(problem)
		}
	}
}
