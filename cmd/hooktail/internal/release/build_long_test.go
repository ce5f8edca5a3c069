//go:build long

package release

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestSameSourcesSameBytes: two builds of the same sources in two places, with
// the flags of a release, are byte for byte the same program.
func TestSameSourcesSameBytes(t *testing.T) {
	t.Parallel()
	var programs [][]byte
	for _, place := range []string{"here", "in-another-place"} {
		sources := filepath.Join(t.TempDir(), place)
		copySources(t, sources)
		build := releaseBuild(t, sources, "-buildvcs=false") // there is no git
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", build.Args, err, out)
		}
		program, err := os.ReadFile(filepath.Join(sources, "program"))
		if err != nil {
			t.Fatal(err)
		}
		programs = append(programs, program)
	}
	if !bytes.Equal(programs[0], programs[1]) {
		t.Errorf("two builds differ: %d and %d bytes", len(programs[0]), len(programs[1]))
	}
	if bytes.Contains(programs[0], []byte(os.TempDir()+string(filepath.Separator)+"Test")) {
		t.Error("the program knows where it was built")
	}
}

// releaseBuild is the build of .goreleaser.yaml, of sources that stand elsewhere,
// into a file named program.
func releaseBuild(t *testing.T, sources string, flags ...string) *exec.Cmd {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, ".goreleaser.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var release struct {
		Builds []struct {
			Main    string   `yaml:"main"`
			Env     []string `yaml:"env"`
			Flags   []string `yaml:"flags"`
			Ldflags []string `yaml:"ldflags"`
		} `yaml:"builds"`
	}
	if err := yaml.Unmarshal(text, &release); err != nil {
		t.Fatal(err)
	}
	b := release.Builds[0]
	args := slices.Concat([]string{"build", "-C", sources, "-o", "program"}, flags, b.Flags, []string{"-ldflags=" + strings.Join(b.Ldflags, " "), b.Main})
	build := exec.Command("go", args...)
	build.Env = append(append(os.Environ(), "GOFLAGS="), b.Env...)
	return build
}
