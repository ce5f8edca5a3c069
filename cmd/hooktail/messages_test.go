package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/dispatch/state"
)

const troubleshooting = "../../docs/troubleshooting.md"

// TestTroubleshootingKnowsEveryMessage: whatever the program logs as a warning or an
// error, or ends with as a Fault, Gap or SchemaError, can be looked up.
func TestTroubleshootingKnowsEveryMessage(t *testing.T) {
	doc := documentation(t)
	said := messages(t)
	for fault := state.SchemaMissing; fault <= state.SchemaDenied; fault++ {
		what, _, _ := strings.Cut((&state.SchemaError{Schema: "…", Fault: fault, Role: "…"}).Error(), ": ")
		said[strings.ReplaceAll(what, "0", "…")] = "dispatch/state/schema.go"
	}
	if len(said) < 40 {
		t.Errorf("%d messages were found in the sources: the search does not see all", len(said))
	}
	for _, text := range slices.Sorted(maps.Keys(said)) {
		if !strings.Contains(doc, "| `"+text+"` |") {
			t.Errorf("docs/troubleshooting.md does not say what this means and what to do (%s); add the row:\n| `%s` | … |", said[text], text)
		}
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(doc, -1) {
		if said[row[1]] == "" {
			t.Errorf("docs/troubleshooting.md explains what the program does not say: %q", row[1])
		}
	}
}

// TestTroubleshootingKnowsEveryAlert: the runbook that an alert names is there.
func TestTroubleshootingKnowsEveryAlert(t *testing.T) {
	rules, err := os.ReadFile("../../deploy/prometheus/hooktail.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	doc := documentation(t)
	alerts := regexp.MustCompile(`(?s)- alert: (\w+)\n.*?runbook_url: (\S+)\n`).FindAllSubmatch(rules, -1)
	if len(alerts) < 10 {
		t.Errorf("%d alerts", len(alerts))
	}
	for _, alert := range alerts {
		name := string(alert[1])
		if want := "https://github.com/hooktail/hooktail/blob/main/docs/troubleshooting.md#" + strings.ToLower(name); string(alert[2]) != want {
			t.Errorf("the runbook of %s is %s, want %s", name, alert[2], want)
		}
		if !strings.Contains(doc, "\n### "+name+"\n") {
			t.Errorf("docs/troubleshooting.md has no heading %q: say there what the alert means and what to do", "### "+name)
		}
	}
}

func documentation(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(troubleshooting)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// messages is what the program may say, with the place in the sources: what
// varies is "…".
func messages(t *testing.T) map[string]string {
	t.Helper()
	said := make(map[string]string)
	for _, folder := range []string{"cdc", "mapping", "dispatch", "dispatch/hook", "dispatch/send", "dispatch/state", "internal/wiring", "internal/setup", "internal/natslog", "internal/repair", "internal/postgres", "internal/relay", "internal/replay", "internal/status", "cmd/hooktail"} {
		files := token.NewFileSet()
		var parsed []*ast.File
		entries, err := fs.Glob(os.DirFS(filepath.Join("..", "..", folder)), "*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range entries {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(files, filepath.Join("..", "..", folder, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			parsed = append(parsed, file)
		}
		s := &scan{assigned: assignments(parsed)}
		for _, file := range parsed {
			ast.Inspect(file, func(n ast.Node) bool {
				expr := message(n)
				if expr == nil {
					return true
				}
				texts := s.texts(expr)
				place := files.Position(n.Pos())
				if len(texts) == 0 {
					t.Errorf("%s: the text cannot be read from the sources", place)
				}
				for _, text := range texts {
					said[text] = strings.TrimPrefix(filepath.ToSlash(place.String()), "../../")
				}
				return true
			})
		}
	}
	return said
}

// message is the expression of what the node says, nil if it says nothing to look up.
func message(n ast.Node) ast.Expr {
	switch n := n.(type) {
	case *ast.CallExpr:
		method, ok := n.Fun.(*ast.SelectorExpr)
		if !ok || typeName(method.X) == "http" { // an answer, to a client
			return nil
		}
		switch name, args := method.Sel.Name, n.Args; {
		case (name == "Warn" || name == "Error") && len(args) > 0:
			return args[0]
		case (name == "WarnContext" || name == "ErrorContext") && len(args) > 1:
			return args[1]
		case name == "Failed" && len(args) > 3: // of logging.Repeat
			return args[3]
		case (name == "LogAttrs" || name == "Log") && len(args) > 2 && !isQuiet(args[1]):
			return args[2]
		}
	case *ast.CompositeLit:
		switch typeName(n.Type) {
		case "Fault":
			return field(n, "What", 1)
		case "Gap":
			return field(n, "Why", 3)
		}
	}
	return nil
}

// isQuiet reports whether the level is below warnings for sure.
func isQuiet(level ast.Expr) bool {
	s, ok := level.(*ast.SelectorExpr)
	return ok && (s.Sel.Name == "LevelDebug" || s.Sel.Name == "LevelInfo")
}

func typeName(expr ast.Expr) string {
	switch expr := expr.(type) {
	case *ast.Ident:
		return expr.Name
	case *ast.SelectorExpr:
		return expr.Sel.Name
	}
	return ""
}

func field(lit *ast.CompositeLit, name string, position int) ast.Expr {
	for i, element := range lit.Elts {
		if pair, ok := element.(*ast.KeyValueExpr); !ok && i == position {
			return element
		} else if ok && typeName(pair.Key) == name {
			return pair.Value
		}
	}
	return nil
}

// scan knows which expressions the names of a package may stand for.
type scan struct{ assigned map[string][]ast.Expr }

func assignments(files []*ast.File) map[string][]ast.Expr {
	out := make(map[string][]ast.Expr)
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				for i, name := range n.Names {
					if i < len(n.Values) {
						out[name.Name] = append(out[name.Name], n.Values[i])
					}
				}
			case *ast.AssignStmt:
				for i, left := range n.Lhs { // what is added (+=) is left out
					if name := typeName(left); name != "" && len(n.Lhs) == len(n.Rhs) && n.Tok != token.ADD_ASSIGN {
						out[name] = append(out[name], n.Rhs[i])
					}
				}
			}
			return true
		})
	}
	return out
}

var verb = regexp.MustCompile(`%(\[\d+\])?[a-z]`)

// texts is what the expression may say.
func (s *scan) texts(expr ast.Expr) []string {
	switch expr := expr.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(expr.Value); err == nil && expr.Kind == token.STRING {
			return []string{text}
		}
	case *ast.CallExpr:
		if typeName(expr.Fun) == "Sprintf" {
			if format := s.texts(expr.Args[0]); len(format) == 1 {
				text := strings.ReplaceAll(format[0], "%q", `"…"`)
				return []string{verb.ReplaceAllString(text, "…")}
			}
		}
	case *ast.BinaryExpr:
		left, right := s.texts(expr.X), s.texts(expr.Y)
		if len(left) == 0 {
			left = []string{"…"}
		}
		if len(right) == 0 {
			right = []string{"…"}
		}
		return []string{left[0] + right[0]}
	case *ast.Ident:
		var all []string
		for _, value := range s.assigned[expr.Name] {
			all = append(all, s.texts(value)...)
		}
		return all
	}
	return nil
}
