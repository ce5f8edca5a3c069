package main

import (
	"context"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hooktail/hooktail/cdc/cdctest"
	"github.com/hooktail/hooktail/cmd/hooktail/internal/conformance"
	"github.com/hooktail/hooktail/testdata"
)

// recordings is where the recorded scenarios are.
const recordings = "../../testdata/labelstudio"

// TestConformanceNative plays all recorded scenarios through the program and
// compares what each hook gets with what Label Studio sent.
func TestConformanceNative(t *testing.T) {
	t.Parallel()
	scenarios := loadScenarios(t)
	play := newPlayer(t, "HOOKTAIL_PROFILE=native", "HOOKTAIL_SEND_SECRETS=true")
	var results []conformance.Result
	for _, s := range scenarios {
		results = append(results, conformance.CompareNative(s, play.scenario(t, s), true))
	}
	reportResults(t, results)
}

// TestConformanceGuide does so by the rules of the guide, which a second, small
// derivation applies to the recorded rows.
func TestConformanceGuide(t *testing.T) {
	t.Parallel()
	scenarios := loadScenarios(t)
	want := derive(t, scenarios, conformance.Guide)
	play := newPlayer(t)
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

func derive(t *testing.T, scenarios []conformance.Scenario, profile conformance.Profile) map[string][]conformance.Derived {
	t.Helper()
	read := func(name string) string {
		text, err := os.ReadFile(recordings + "/" + name)
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		return string(text)
	}
	want, err := conformance.Derivation{Profile: profile, Schema: read("schema.sql"), Base: read("base.sql")}.Derive(scenarios)
	if err != nil {
		t.Fatalf("derive: %v", err)
	}
	return want
}

// player plays scenarios on a database with a running program.
type player struct {
	db        *cdctest.Database
	conn      *pgx.Conn
	collector *conformance.Collector
	address   string
}

func newPlayer(t *testing.T, variables ...string) *player {
	t.Helper()
	db := cdctest.Postgres(t).LabelStudio(t)
	p := &player{db: db, conn: db.Connect(t), collector: &conformance.Collector{}}
	p.address = point(t, db, p.collector)
	start(t, db, variables...)
	return p
}

// scenario plays one, call by call, and returns what arrived.
func (p *player) scenario(t *testing.T, s conformance.Scenario) []conformance.Request {
	t.Helper()
	calls, err := s.Calls()
	if err != nil {
		t.Fatalf("split %s: %v", s.Name, err)
	}
	for _, call := range calls {
		for i := range call {
			call[i] = conformance.Readdress(call[i], p.address)
		}
		if err := testdata.Play(context.Background(), p.conn, call); err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		delivered(t, p.db)
	}
	return p.collector.Take()
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
