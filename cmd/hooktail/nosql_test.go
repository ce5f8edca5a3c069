package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// statement matches the beginning of SQL that a database would be asked to run.
var statement = regexp.MustCompile(`\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|TRUNCATE|ALTER|CREATE|DROP|GRANT|LOCK TABLE|LISTEN|NOTIFY|COPY)\s+["\w$*(.{]`)

// TestCommandsHaveNoSQL: a command calls a room; it neither knows the driver of the
// database nor holds a statement. demo plays the application, and is no example.
func TestCommandsHaveNoSQL(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	looked := 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "demo") {
			continue
		}
		looked++
		file, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			if path, _ := strconv.Unquote(spec.Path.Value); strings.HasPrefix(path, "github.com/jackc/") || path == "database/sql" {
				t.Errorf("%s: imports %s", files.Position(spec.Pos()), path)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING && statement.MatchString(literal.Value) {
				t.Errorf("%s: a statement: %s", files.Position(literal.Pos()), literal.Value)
			}
			return true
		})
	}
	if looked < 20 {
		t.Errorf("only %d files were looked at", looked)
	}
	for text, want := range map[string]bool{
		"SELECT id FROM webhook": true, "UPDATE \"webhook\" SET is_active": true, "ANNOTATION_UPDATED": false, "Remove slot, publication": false,
	} {
		if statement.MatchString(text) != want {
			t.Errorf("%q taken for a statement: %t", text, !want)
		}
	}
}
