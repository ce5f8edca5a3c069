package filter

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/hooktail/hooktail/mapping"
)

// Bounds of one expression. A step of it costs 1, and takes about 50 ns; one that goes
// through a string or an object costs more, see costs.
const (
	MaxLength = 2000 // bytes of the expression
	maxDepth  = 50   // of parentheses, lists and calls within each other
	maxCost   = 20_000
)

// Filter is a compiled expression. It is immutable and safe for concurrent use.
type Filter struct {
	text    string
	program cel.Program
}

// SyntaxError says where an expression is faulty.
type SyntaxError struct {
	Line, Column int // of the first fault, both from 1; 0: it is not known
	Message      string
	Source       string // the line
}

// Error is one line: `line 1, column 25: …`.
func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// Marked is the line of the expression with the fault, and below it a mark at its column; ""
// if the place is not known.
func (e *SyntaxError) Marked() string {
	if e.Line == 0 {
		return ""
	}
	indent := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, firstRunes(e.Source, e.Column-1))
	return e.Source + "\n" + indent + "^"
}

func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// Compile checks and compiles the expression. An error is a *SyntaxError.
func Compile(text string) (*Filter, error) {
	switch {
	case len(text) > MaxLength:
		return nil, &SyntaxError{Message: fmt.Sprintf("the expression has %d bytes: at most %d are allowed", len(text), MaxLength)}
	case strings.TrimSpace(text) == "":
		return nil, &SyntaxError{Message: "the expression is empty"}
	case !utf8.ValidString(text):
		return nil, &SyntaxError{Message: "the expression is not UTF-8"}
	}
	env, err := newEnv()
	if err != nil {
		return nil, fmt.Errorf("prepare CEL: %w", err)
	}
	ast, issues := env.Compile(text)
	if issues != nil && issues.Err() != nil {
		return nil, syntaxError(text, issues)
	}
	if out := ast.OutputType(); !out.IsExactType(types.BoolType) && !out.IsExactType(types.DynType) {
		return nil, &SyntaxError{Line: 1, Column: 1, Source: firstLine(text, 1), Message: fmt.Sprintf("the expression is of type %s: it has to be true or false", out)}
	}
	program, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost), cel.CostTracking(costs{}))
	if err != nil { // a constant that cannot be computed, as the regular expression "("
		return nil, &SyntaxError{Message: err.Error()}
	}
	return &Filter{text: text, program: program}, nil
}

// newEnv declares what an expression can speak of: the members of all bodies. The type of
// what is in them is known only when there is a body.
func newEnv() (*cel.Env, error) {
	options := []cel.EnvOption{
		cel.Variable("action", cel.StringType),
		cel.CrossTypeNumericComparisons(true),
		cel.CustomTypeAdapter(adapter{}),
		cel.ParserExpressionSizeLimit(MaxLength),
		cel.ParserRecursionLimit(maxDepth),
	}
	for _, name := range Members() {
		options = append(options, cel.Variable(name, cel.DynType))
	}
	return cel.NewEnv(options...)
}

// Members are the names of what a body may have beside its action.
func Members() []string {
	return []string{"annotation", "annotations", "payload", "project", "task", "tasks"}
}

// syntaxError is the first of the issues.
func syntaxError(text string, issues *cel.Issues) error {
	all := issues.Errors()
	if len(all) == 0 {
		return &SyntaxError{Message: issues.Err().Error()}
	}
	first := all[0]
	for _, issue := range all[1:] {
		if l, f := issue.Location, first.Location; l.Line() < f.Line() || l.Line() == f.Line() && l.Column() < f.Column() {
			first = issue
		}
	}
	e := &SyntaxError{Message: strings.TrimPrefix(first.Message, "Syntax error: ")}
	if line := first.Location.Line(); line > 0 {
		e.Line, e.Column, e.Source = line, max(1, first.Location.Column()+1), firstLine(text, line)
	}
	return e
}

// firstLine is the line of the text with that number.
func firstLine(text string, number int) string {
	lines := strings.Split(text, "\n")
	if number > len(lines) {
		return ""
	}
	return lines[number-1]
}

// String is the expression.
func (f *Filter) String() string { return f.text }

// errNoBoolean is the failure of an expression that is neither true nor false.
var errNoBoolean = errors.New("the expression is neither true nor false")

// Pass reports whether a hook gets the event with this body, under the action's name as the
// hook spells it. It is true with an error if the expression fails, as where it looks at a
// field that is not there: nothing is left out for a fault. The error may quote the body.
func (f *Filter) Pass(action mapping.Action, b *Body) (bool, error) {
	result, _, err := f.program.Eval(&activation{string(action), b})
	if err != nil {
		return true, err
	}
	pass, ok := result.(types.Bool)
	if !ok {
		return true, errNoBoolean
	}
	return bool(pass), nil
}

// activation is the values of the names in an expression.
type activation struct {
	action string
	body   *Body
}

// ResolveName is the value of the name.
func (a *activation) ResolveName(name string) (any, bool) {
	if name == "action" {
		return types.String(a.action), true
	}
	return a.body.member(name), true
}

// Parent is for interpreter.Activation: there is none.
func (a *activation) Parent() cel.Activation { return nil }
