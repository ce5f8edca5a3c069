package relay_test

import (
	"os"
	"strings"
	"testing"
)

// TestSecondDestinationGuide: the code of the guide is that of the example, which is
// compiled and run.
func TestSecondDestinationGuide(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/how-to/second-destination.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(guide), "\n```go\n")
	code, _, found := strings.Cut(rest, "\n```\n")
	if !found || !strings.Contains(code, "Enqueue(") || !strings.Contains(string(example), code) {
		t.Errorf("the guide has another outlet than example_test.go:\n%s", code)
	}
}
