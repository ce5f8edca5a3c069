//go:build external

package release

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestWithGoreleaser: a tag becomes a release for each system and architecture, of
// which nothing is missing that README.md and docs/ have people type, and whose sums
// are right. Only what publishes it is left out, and the image, which another test
// builds.
func TestWithGoreleaser(t *testing.T) {
	t.Parallel()
	const version = "1.2.3"
	sources := filepath.Join(t.TempDir(), "hooktail")
	copySources(t, sources)
	in := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir, cmd.Env = sources, append(os.Environ(), "GOFLAGS=") // a release knows its commit
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v\n%s", cmd.Args, err, out)
		}
		return string(out)
	}
	in("git", "init", "--quiet", "--initial-branch=main")
	in("git", "remote", "add", "origin", "https://github.com/hooktail/hooktail.git")
	in("git", "add", "--all")
	in("git", "-c", "user.name=Test", "-c", "user.email=test@example.com", "commit", "--quiet", "--message=Release")
	in("git", "tag", "v"+version)
	in("goreleaser", "check")
	in("goreleaser", "release", "--clean", "--skip=publish,announce,docker")

	dist := filepath.Join(sources, "dist")
	var want []string
	for _, system := range []string{"darwin", "linux", "windows"} {
		for _, architecture := range []string{"amd64", "arm64"} {
			name := fmt.Sprintf("hooktail_%s_%s_%s", version, system, architecture)
			want = append(want, name+".cdx.json", name+map[bool]string{true: ".zip", false: ".tar.gz"}[system == "windows"])
			checkBill(t, filepath.Join(dist, name+".cdx.json"))
		}
	}
	if got := summed(t, dist, "hooktail_"+version+"_checksums.txt"); !slices.Equal(got, want) {
		t.Errorf("the release has %q, want %q", got, want)
	}

	name := fmt.Sprintf("hooktail_%s_%s_%s", version, runtime.GOOS, runtime.GOARCH)
	in("tar", "-xzf", filepath.Join("dist", name+".tar.gz"))
	if said := in("./"+name+"/hooktail", "version"); !strings.HasPrefix(said, "hooktail v"+version+" (") {
		t.Errorf("the program says that it is %s", said)
	}
	for _, file := range append(typed(t), "LICENSE", "CHANGELOG.md", "man/hooktail.1", "completions/hooktail.zsh", "deploy/hooktail.service") {
		if _, err := os.Stat(filepath.Join(sources, name, file)); err != nil {
			t.Errorf("the archive lacks %s", file)
		}
	}
}

// summed are the files with a checksum, in order; it is an error if one is not theirs.
func summed(t *testing.T, dir, sums string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, sums))
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for line := range strings.Lines(string(text)) {
		sum, file, _ := strings.Cut(strings.TrimSpace(line), "  ")
		content, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if its := sha256.Sum256(content); hex.EncodeToString(its[:]) != sum {
			t.Errorf("%s has another sum than %s says", file, sums)
		}
		files = append(files, file)
	}
	slices.Sort(files)
	return files
}

// checkBill: the bill of materials is of hooktail, and names what it is made of.
func checkBill(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var bill struct {
		Metadata   struct{ Component struct{ Name string } }
		Components []struct{ Name string }
	}
	if err := json.Unmarshal(text, &bill); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	named := slices.ContainsFunc(bill.Components, func(c struct{ Name string }) bool { return c.Name == "github.com/jackc/pglogrepl" })
	if bill.Metadata.Component.Name != "github.com/hooktail/hooktail" || !named {
		t.Errorf("%s is of %s and names %v", filepath.Base(file), bill.Metadata.Component.Name, bill.Components)
	}
}

// typed are the files of deploy/ in what README.md and docs/ have people type.
func typed(t *testing.T) []string {
	t.Helper()
	documents := []string{filepath.Join(repository, "README.md")}
	for _, folder := range []string{"docs/*.md", "docs/how-to/*.md"} {
		found, err := filepath.Glob(filepath.Join(repository, folder))
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, found...)
	}
	var files []string
	for _, document := range documents {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range regexp.MustCompile("(?ms)^ *```.*?^ *```").FindAllString(string(text), -1) {
			files = append(files, regexp.MustCompile(`\bdeploy/[\w./-]*\w`).FindAllString(block, -1)...)
		}
	}
	if len(files) == 0 {
		t.Fatal("nobody types anything of deploy/")
	}
	return files
}
