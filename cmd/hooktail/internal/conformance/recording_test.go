package conformance

import (
	"os"
	"path/filepath"
	"testing"
)

const recording = "../../../../testdata/labelstudio"

func load(t *testing.T) []Scenario {
	t.Helper()
	all, err := Scenarios(filepath.Join(recording, "scenarios"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// numbered is the scenario with that number.
func numbered(t *testing.T, number int) Scenario {
	t.Helper()
	for _, s := range load(t) {
		if s.Number() == number {
			return s
		}
	}
	t.Fatalf("no scenario %d", number)
	return Scenario{}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(recording, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func derive(t *testing.T, profile Profile) map[string][]Derived {
	t.Helper()
	d := Derivation{Profile: profile, Schema: read(t, "schema.sql"), Base: read(t, "base.sql"), Secrets: true}
	all, err := d.Derive(load(t))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// exceptionsOf returns the exceptions of one scenario.
func exceptionsOf(scenario string) []Exception { return Of(scenario, Exceptions()) }

// requests are the derived requests as if they had been delivered in that order.
func requests(derived []Derived) []Request {
	var all []Request
	for _, d := range derived {
		all = append(all, d.Request)
	}
	return all
}
