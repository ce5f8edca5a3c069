package release

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestReleasedAsTested: the workflow releases with the goreleaser that .ci/run tests
// with.
func TestReleasedAsTested(t *testing.T) {
	t.Parallel()
	var versions []string
	for file, pattern := range map[string]string{
		".ci/run":                       `(?m)^goreleaser_version=(\S+)$`,
		".github/workflows/release.yml": `goreleaser-action@\S+\s+with:\s+version: v(\S+)\n`,
	} {
		text, err := os.ReadFile(filepath.Join(repository, file))
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(pattern).FindSubmatch(text)
		if m == nil {
			t.Fatalf("%s names no version", file)
		}
		versions = append(versions, string(m[1]))
	}
	if versions[0] != versions[1] {
		t.Errorf(".ci/run and the workflow have the versions %q", versions)
	}
}
