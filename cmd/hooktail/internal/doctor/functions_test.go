package doctor

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// elsewhere are functions that the role of a run does not call.
var elsewhere = map[string]string{
	"pg_advisory_lock":                   "setup migrates",
	"pg_create_logical_replication_slot": "setup and repair create the slot",
	"pg_drop_replication_slot":           "repair and teardown drop the slot",
	"hashtextextended":                   "setup migrates",
	"pg_current_xact_id":                 "emit runs as its owner",
	"pg_reload_conf":                     "in a remedy, for an administrator",
}

// TestFunctionsAreThoseOfTheStatements: a function that a statement of the program calls is
// one that doctor examines, or that is not called by the role of a run.
func TestFunctionsAreThoseOfTheStatements(t *testing.T) {
	t.Parallel()
	call := regexp.MustCompile(`\b((?:pg|has|hashtext)[a-z_]*|set_config|current_setting)\(`)
	root := "../../../.."
	called := map[string]bool{}
	for _, dir := range []string{"cdc", "mapping", "dispatch", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if d != nil && d.IsDir() && slices.Contains([]string{"cdctest", "throwaway", "demo"}, d.Name()) {
				return fs.SkipDir // their servers are their own
			}
			if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") || filepath.Ext(path) != ".go" && filepath.Ext(path) != ".sql" {
				return err
			}
			text, err := os.ReadFile(path)
			for _, found := range call.FindAllStringSubmatch(string(text), -1) {
				if name := found[1]; strings.Contains(name, "_") || strings.HasPrefix(name, "hashtext") {
					called[name] = true
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	known := functions()
	for name := range elsewhere {
		known = append(known, name)
	}
	slices.Sort(known)
	var got []string
	for name := range called {
		got = append(got, name)
	}
	slices.Sort(got)
	if diff := cmp.Diff(known, got); diff != "" {
		t.Errorf("functions (-doctor +statements):\n%s", diff)
	}
}
