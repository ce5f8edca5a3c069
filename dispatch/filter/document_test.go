package filter

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/mapping"
)

// recorded are the bodies that Label Studio sent, by their members, with one custom event.
func recorded(t *testing.T) (bodies []map[string]json.RawMessage) {
	t.Helper()
	files, err := filepath.Glob("../../testdata/labelstudio/scenarios/*/expected.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scenarios, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var requests []struct{ Body map[string]json.RawMessage }
		if err := json.Unmarshal(text, &requests); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, r := range requests {
			if len(r.Body) > 1 {
				bodies = append(bodies, r.Body)
			}
		}
	}
	custom := func(payload string) map[string]json.RawMessage {
		return map[string]json.RawMessage{"action": json.RawMessage(`"MODEL_OUTDATED"`), "payload": json.RawMessage(payload), "project": json.RawMessage(`{"id": 1, "title": "x"}`)}
	}
	return append(bodies, custom(`{"severity": 3}`), custom(`{"severity": 2}`), custom(`{}`))
}

// TestDocumentsFilters: each filter of the document compiles, and fails on no recorded body
// that has the members that it speaks of.
func TestDocumentsFilters(t *testing.T) {
	text, err := os.ReadFile("../../docs/how-to/choose-events.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| [^|`]+ \\| `(.+)` \\|$")
	named := regexp.MustCompile(`\b(annotation|task|project|payload)\.`)
	bodies := recorded(t)
	filters := row.FindAllStringSubmatch(string(text), -1)
	if len(filters) < 10 {
		t.Fatalf("only %d filters were found", len(filters))
	}
	for _, found := range filters {
		expression := strings.ReplaceAll(found[1], `\|`, "|")
		f, tried := compile(t, expression), 0
		for _, body := range bodies {
			var action mapping.Action
			var members []string
			for name, value := range body {
				if name == "action" {
					if err := json.Unmarshal(value, &action); err != nil {
						t.Fatal(err)
					}
					continue
				}
				members = append(members, `"`+name+`": `+string(value))
			}
			if action == mapping.AnnotationsCreated || !strings.Contains(expression, "action") && !hasAll(body, named.FindAllStringSubmatch(expression, -1)) {
				continue // annotation is a list there, as Label Studio has it
			}
			tried++
			if _, err := f.Pass(action, NewBody([]byte(strings.Join(members, ", ")))); err != nil {
				t.Errorf("%s fails on %s: %v", expression, action, err)
			}
		}
		if tried < 3 {
			t.Errorf("%s was tried on %d bodies", expression, tried)
		}
	}
}

func hasAll(body map[string]json.RawMessage, names [][]string) bool {
	for _, name := range names {
		if _, there := body[name[1]]; !there {
			return false
		}
	}
	return true
}
