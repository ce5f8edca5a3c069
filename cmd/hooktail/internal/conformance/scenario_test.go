package conformance

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestScenariosAreCompleteAndInOrder(t *testing.T) {
	all := load(t)
	if len(all) != 64 {
		t.Fatalf("%d scenarios, want 64", len(all))
	}
	sent := 0
	for i, s := range all {
		if s.Number() != i+1 {
			t.Errorf("scenario %d is %s", i+1, s.Name)
		}
		if s.Changes == "" {
			t.Errorf("%s: no statements", s.Name)
		}
		sent += len(s.Expected)
	}
	if sent != 203 {
		t.Errorf("%d recorded requests, want 203", sent)
	}
}

func TestScenarioHeaders(t *testing.T) {
	s := numbered(t, 2)
	for _, r := range s.Expected {
		want := map[string]string{"content-type": "application/json"}
		if r.Hook == 5 {
			want["x-team"] = "newsroom"
			want["authorization"] = r.Headers["authorization"]
		}
		if diff := cmp.Diff(want, r.Headers); diff != "" || r.Hook == 5 && want["authorization"] == "" {
			t.Errorf("hook %d (-want +got):\n%s", r.Hook, diff)
		}
	}
}

func TestStatements(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     []string
	}{
		{"two", "SELECT 1; SELECT 2;", []string{"SELECT 1", "SELECT 2"}},
		{"comment", "-- a; b\nSELECT 1;", []string{"SELECT 1"}},
		{"text", "SELECT 'a;''b';\nSELECT 2;", []string{"SELECT 'a;''b'", "SELECT 2"}},
		{"backslash is a character", `SELECT 'a\'; SELECT 2;`, []string{`SELECT 'a\'`, "SELECT 2"}},
		{"backslash escapes in E", `SELECT E'a\';b'; SELECT 2;`, []string{`SELECT E'a\';b'`, "SELECT 2"}},
		{"E ends a name", `SELECT TYPE'a\'; SELECT 2;`, []string{`SELECT TYPE'a\'`, "SELECT 2"}},
		{"name", `SELECT "a;""b"; SELECT 2;`, []string{`SELECT "a;""b"`, "SELECT 2"}},
		{"lines in a text", "SELECT '\n-- no comment\n';", []string{"SELECT '\n-- no comment\n'"}},
		{"nothing", "-- only a comment\n", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, statements(tt.in)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTransactionsAreNotDivided(t *testing.T) {
	got := transactions([]string{"A", "BEGIN", "SAVEPOINT s", "B", "COMMIT", "C", "BEGIN", "D", "ROLLBACK"})
	want := [][]string{{"A"}, {"BEGIN", "SAVEPOINT s", "B", "COMMIT"}, {"C"}, {"BEGIN", "D", "ROLLBACK"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestCallsAreTheRecordedOnes compares with the successful calls of api.txt.
func TestCallsAreTheRecordedOnes(t *testing.T) {
	call := regexp.MustCompile(`(?ms)^(?:POST|PUT|PATCH|DELETE) [^\n]*$.*?^  -> (\d)`)
	for _, s := range load(t) {
		calls, err := s.Calls()
		if err != nil {
			t.Error(err)
			continue
		}
		want := 0
		for _, m := range call.FindAllStringSubmatch(read(t, filepath.Join("scenarios", s.Name, "api.txt")), -1) {
			if m[1] == "2" {
				want++
			}
		}
		if s.Number() == 59 {
			want = 1 // the other call made the storage, whose table is not recorded
		}
		if len(calls) != want {
			t.Errorf("%s: %d calls, want %d", s.Name, len(calls), want)
		}
		if diff := cmp.Diff(statements(s.Changes), slices.Concat(calls...)); diff != "" {
			t.Errorf("%s: statements are missing (-want +got):\n%s", s.Name, diff)
		}
	}
}

func TestReaddress(t *testing.T) {
	s := numbered(t, 44)
	text := Readdress(s.Changes, "127.0.0.1:1234")
	if strings.Contains(text, recordedAddress) || !strings.Contains(text, "'http://127.0.0.1:1234/h/11'") {
		t.Error("the hook of the scenario still points at the recorded address")
	}
}
