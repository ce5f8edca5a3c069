package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/internal/relay"
)

var update = flag.Bool("update", false, "write the generated parts of the documents anew")

// reference has the lists that the program itself can write.
const reference = "../../docs/reference.md"

// TestREADMEVariablesAreReal: the list of variables is the program's own.
func TestREADMEVariablesAreReal(t *testing.T) {
	var b strings.Builder
	b.WriteString("| variable | default | meaning |\n|---|---|---|\n")
	for _, v := range config.Variables() {
		value := "`" + v.Default + "`"
		switch {
		case v.Required:
			value = "required"
		case v.Default == "":
			value = "–"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", v.Name, value, strings.ReplaceAll(v.Meaning, "|", `\|`))
	}
	compareGenerated(t, "variables", b.String())
}

// TestREADMEMetricsAreReal: so is the list of metrics.
func TestREADMEMetricsAreReal(t *testing.T) {
	registry := prometheus.NewRegistry()
	relay.RegisterMetrics(registry)
	descriptions := make(chan *prometheus.Desc, 1000)
	registry.Describe(descriptions)
	close(descriptions)
	var rows []string
	for d := range descriptions {
		m := regexp.MustCompile(`fqName: "([^"]+)", help: "([^"]*)".*variableLabels: \{([^}]*)\}`).FindStringSubmatch(d.String())
		labels := strings.ReplaceAll(m[3], ",", ", ")
		if labels == "" {
			labels = "–"
		}
		rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |\n", m[1], labels, m[2]))
	}
	slices.Sort(rows)
	compareGenerated(t, "metrics", "| metric | labels | |\n|---|---|---|\n"+strings.Join(rows, ""))
}

// compareGenerated compares the part of the reference between the marks.
func compareGenerated(t *testing.T, mark, want string) {
	t.Helper()
	compareGeneratedIn(t, reference, mark, want)
}

// compareGeneratedIn does so for another document.
func compareGeneratedIn(t *testing.T, document, mark, want string) {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatalf("read the document: %v", err)
	}
	begin, end := "<!-- "+mark+" -->\n", "<!-- /"+mark+" -->"
	before, rest, found := strings.Cut(string(text), begin)
	got, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no %q", document, begin)
	}
	if *update {
		if err := os.WriteFile(document, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatalf("write the document: %v", err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s in %s (-program +document; go test -tags long ./cmd/hooktail -run %s -update mends it):\n%s", mark, document, t.Name(), diff)
	}
}
