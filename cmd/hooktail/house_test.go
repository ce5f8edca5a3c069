package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// TestCommandsAreSmall: a command hands its arguments to a room and prints what comes
// back. What has goroutines, or lines beyond that, belongs to a room.
func TestCommandsAreSmall(t *testing.T) {
	t.Parallel()
	const most = 3500
	lines := 0
	for _, file := range commandFiles(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines += strings.Count(string(text), "\n")
		fset := token.NewFileSet()
		parsed, err := parser.ParseFile(fset, file, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if startsGoroutine(n) {
				t.Errorf("%s: a command starts a goroutine", fset.Position(n.Pos()))
			}
			return true
		})
	}
	if lines > most {
		t.Errorf("the commands have %d lines, at most %d are theirs", lines, most)
	}
}

// TestProgramHasNoTestLibrary: what the tests check the program with is not in it.
func TestProgramHasNoTestLibrary(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for _, library := range []string{"github.com/cloudevents", "github.com/standard-webhooks", "github.com/google/go-cmp", "pgregory.net/rapid"} {
		for imported := range strings.Lines(string(out)) {
			if imported = strings.TrimSpace(imported); imported == library || strings.HasPrefix(imported, library+"/") {
				t.Errorf("the program imports %s", imported)
			}
		}
	}
}

// TestProgramRunsNoTemplates: text/template calls methods by names that it has read, so that the
// linker would leave none out.
func TestProgramRunsNoTemplates(t *testing.T) {
	t.Parallel()
	program, err := os.ReadFile(proctest.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]bool{"github.com/spf13/cobra.(*Command).execute": true, "text/template.(*state).evalField": false} {
		if bytes.Contains(program, []byte(name)) != in {
			t.Errorf("%s is in the program: %t, want %t", name, !in, in)
		}
	}
}

// commandFiles are the files of this package, but for tests.
func commandFiles(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, file := range all {
		if !strings.HasSuffix(file, "_test.go") {
			files = append(files, file)
		}
	}
	if len(files) == 0 {
		t.Fatal("there is no command")
	}
	return files
}

// startsGoroutine reports whether the node is a go statement, or a call of a method Go,
// as sync.WaitGroup and errgroup have it.
func startsGoroutine(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GoStmt:
		return true
	case *ast.CallExpr:
		method, ok := n.Fun.(*ast.SelectorExpr)
		return ok && method.Sel.Name == "Go"
	}
	return false
}
