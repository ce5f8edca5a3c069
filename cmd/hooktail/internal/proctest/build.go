package proctest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/hooktail/hooktail/cdc/cdctest"
)

// built is the program of the test binary: built on first use, removed by Main. Like
// cdctest's server, it is shared by parallel tests.
var built struct {
	once sync.Once
	dir  string
	err  error
}

// name is the program's file name.
var name = map[bool]string{true: "hooktail.exe", false: "hooktail"}[runtime.GOOS == "windows"]

// Main runs the tests and then removes the program and stops the shared
// PostgreSQL. Use it in TestMain: os.Exit(proctest.Main(m)).
func Main(m *testing.M) int {
	code := cdctest.Main(m)
	if built.dir != "" {
		if err := os.RemoveAll(built.dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

// Binary returns the path of the program, built from this module's sources.
func Binary(t testing.TB) string {
	t.Helper()
	built.once.Do(func() { built.dir, built.err = build() })
	if built.err != nil {
		t.Fatalf("build hooktail: %v", built.err)
	}
	return filepath.Join(built.dir, name)
}

func build() (dir string, err error) {
	if err := consultSources(); err != nil {
		return "", err
	}
	if dir, err = os.MkdirTemp("", "hooktail-proctest-"); err != nil {
		return "", err
	}
	// Unlike `go build`, `go run` keeps the program in Go's cache: it is linked once for
	// all packages that test it. Instead of running it, cp copies it.
	args := []string{"run", "-exec", "cp"}
	if RaceEnabled {
		args = append(args, "-race")
	}
	args = append(args, "github.com/hooktail/hooktail/cmd/hooktail", filepath.Join(dir, name))
	out, err := exec.Command("go", args...).CombinedOutput()
	if err != nil {
		return dir, errors.Join(err, errors.New(string(out)))
	}
	return dir, nil
}

// consultSources reads every file of the module, so that `go test` knows that the result
// depends on them: it does not see what a command compiles, and would reuse a cached
// result.
func consultSources() error {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return fmt.Errorf("find the module: %w", err)
	}
	root := filepath.Dir(strings.TrimSpace(string(out)))
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "testdata"):
			return filepath.SkipDir
		case entry.IsDir():
			return nil
		}
		_, err = os.Stat(path)
		return err
	})
}
