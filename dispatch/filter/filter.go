package filter

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/hooktail/hooktail/mapping"
)

// Limits of one expression. A step costs 1, and takes about 50 ns; one that processes a
// string or an object costs more, see costs.
const (
	MaxLength = 2000 // bytes of the expression
	maxDepth  = 50   // nesting of parentheses, lists and calls
	maxCost   = 20_000
)

// Filter is a compiled expression. It is immutable and safe for concurrent use.
type Filter struct {
	text    string
	program cel.Program
}

// SyntaxError is an error in an expression, with its position.
type SyntaxError struct {
	Line, Column int // of the first error, both from 1; 0: unknown
	Message      string
	Source       string // the line
}

// Error returns one line: `line 1, column 25: …`.
func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// Marked returns the part of the expression's line around the error, and below it a mark at
// the column; "" if the position is unknown.
func (e *SyntaxError) Marked() string {
	if e.Line == 0 {
		return ""
	}
	source := []rune(printable(e.Source))
	column := min(len(source), e.Column-1)
	before, after := source[:column], source[column:]
	if len(before) > marked {
		before = append([]rune("…"), before[len(before)-marked:]...)
	}
	if len(after) > marked/2 {
		after = append(slices.Clone(after[:marked/2]), '…')
	}
	indent := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, string(before))
	return string(before) + string(after) + "\n" + indent + "^"
}

// marked is the number of characters that Marked shows before the error; half as many follow.
const marked = 50

// printable replaces what would control a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}

// Compile checks and compiles the expression. Its error is a *SyntaxError.
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
		return nil, &SyntaxError{Line: 1, Column: 1, Source: firstLine(text, 1), Message: fmt.Sprintf("the expression has type %s, but must be true or false", out)}
	}
	program, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost), cel.CostTracking(costs{}))
	if err != nil { // a constant that cannot be evaluated, such as the regular expression "("
		return nil, &SyntaxError{Message: err.Error()}
	}
	return &Filter{text: text, program: program}, nil
}

// newEnv declares what an expression can use: the members of all bodies. The types of
// their contents are only known when there is a body.
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

// Members returns the names of the members that a body may have besides its action.
func Members() []string {
	return []string{"annotation", "annotations", "payload", "project", "task", "tasks"}
}

// syntaxError returns the first of the issues.
func syntaxError(text string, issues *cel.Issues) error {
	first := slices.MinFunc(issues.Errors(), func(a, b *cel.Error) int {
		return cmp.Or(cmp.Compare(a.Location.Line(), b.Location.Line()), cmp.Compare(a.Location.Column(), b.Location.Column()))
	})
	e := &SyntaxError{Message: printable(strings.TrimPrefix(first.Message, "Syntax error: "))}
	if line := first.Location.Line(); line > 0 {
		e.Line, e.Column, e.Source = line, max(1, first.Location.Column()+1), firstLine(text, line)
	}
	return e
}

func firstLine(text string, number int) string {
	lines := strings.Split(text, "\n")
	if number > len(lines) {
		return ""
	}
	return lines[number-1]
}

// String returns the expression.
func (f *Filter) String() string { return f.text }

// errNoBoolean is the error of an expression that is neither true nor false.
var errNoBoolean = errors.New("the expression is neither true nor false")

// Pass reports whether a hook gets the event with this body, with the action in the
// hook's spelling. If the expression fails, for example because of a missing field, it
// returns true and the error: an error must not suppress events. The error may quote the
// body.
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

// activation holds the values of the names in an expression.
type activation struct {
	action string
	body   *Body
}

// ResolveName returns the value of the name.
func (a *activation) ResolveName(name string) (any, bool) {
	if name == "action" {
		return types.String(a.action), true
	}
	return a.body.member(name), true
}

// Parent implements interpreter.Activation: there is none.
func (a *activation) Parent() cel.Activation { return nil }
