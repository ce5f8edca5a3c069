package filter

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hooktail/hooktail/mapping"
)

// The members of an annotation's event, as mapping renders them.
const (
	members = `"annotation": {"id": 12, "result": [{"id": "a", "type": "choices", "value": {"choices": ["cat"]}}, {"id": "b", "type": "rectanglelabels", "value": {"x": 1.5}}],` +
		` "was_cancelled": false, "ground_truth": null, "created_at": "2026-11-23T09:40:48.158352Z", "lead_time": 12.0, "completed_by": 7, "unique_id": "J\u00fcrgen \"x\""},` +
		` "task": {"id": 3, "data": {"text": "some text", "n": 9223372036854775808}, "comment_authors": []}`
	project = `"project": {"id": 4, "title": "x", "label_config_hash": -9223372036854775808, "control_weights": {}}`
)

func body() *Body { return NewBody([]byte(members), []byte(project)) }

func compile(t testing.TB, text string) *Filter {
	t.Helper()
	f, err := Compile(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return f
}

func TestPass(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     string // true, false, or failed
	}{
		{"the example", `annotation.completed_by != 5 && annotation.result.size() > 0`, "true"},
		{"the example, left out", `annotation.completed_by != 7 && annotation.result.size() > 0`, "false"},
		{"action", `action == "ANNOTATION_CREATED"`, "true"},
		{"integer as a double", `annotation.completed_by == 7.0`, "true"},
		{"double as an integer", `annotation.lead_time == 12`, "true"},
		{"double beside an integer", `annotation.lead_time > 11`, "true"},
		{"beyond int64", `task.data.n > 9223372036854775807`, "true"},
		{"beyond int64, exactly", `task.data.n == 9223372036854775808u`, "true"},
		{"least int64", `project.label_config_hash < 0`, "true"},
		{"null", `annotation.ground_truth == null`, "true"},
		{"null is no boolean", `annotation.ground_truth`, "failed"},
		{"a boolean field", `annotation.was_cancelled`, "false"},
		{"not a boolean field", `!annotation.was_cancelled`, "true"},
		{"a number is no boolean", `annotation.id`, "failed"},
		{"escaped", `annotation.unique_id == 'Jürgen "x"'`, "true"},
		{"time", `timestamp(annotation.created_at) > timestamp("2026-11-23T00:00:00Z")`, "true"},
		{"hour", `timestamp(annotation.created_at).getHours() == 9`, "true"},
		{"field there", `has(annotation.lead_time)`, "true"},
		{"field not there", `has(annotation.nothing)`, "false"},
		{"field of a member that is not there", `has(payload.severity)`, "false"},
		{"looks at a field that is not there", `annotation.nothing == 1`, "failed"},
		{"of a member that is not there", `payload.severity > 3`, "failed"},
		{"guarded", `has(payload.severity) && payload.severity > 3`, "false"},
		{"decided without it", `action == "ANNOTATION_CREATED" || payload.severity > 3`, "true"},
		{"any region", `annotation.result.exists(r, r.type == "choices" && "cat" in r.value.choices)`, "true"},
		{"no region", `annotation.result.exists(r, r.type == "polygonlabels")`, "false"},
		{"all regions", `annotation.result.all(r, r.id in ["a", "b"])`, "true"},
		{"index", `annotation.result[1].value.x == 1.5`, "true"},
		{"index beyond the end", `annotation.result[2].value.x == 1.5`, "failed"},
		{"key with other characters", `annotation["completed_by"] == 7`, "true"},
		{"regular expression", `task.data.text.matches("^some (text|word)$")`, "true"},
		{"whole objects", `annotation.result[0] == {"id": "a", "type": "choices", "value": {"choices": ["cat"]}}`, "true"},
		{"whole lists", `task.comment_authors == []`, "true"},
		{"empty object", `project.control_weights == {}`, "true"},
		{"in an object", `"title" in project`, "true"},
		{"of another type", `annotation.completed_by.startsWith("x")`, "failed"},
		{"integers and doubles are not added", `annotation.id + annotation.lead_time > 0.0`, "failed"},
		{"unless converted", `double(annotation.id) + annotation.lead_time > 0.0`, "true"},
		{"division by zero", `annotation.id / 0 == 1`, "failed"},
		{"constant", `true`, "true"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pass, err := compile(t, tt.in).Pass(mapping.AnnotationCreated, body())
			got := fmt.Sprint(pass)
			if err != nil {
				got = "failed"
				if !pass {
					t.Error("an event was left out for a fault")
				}
			}
			if got != tt.want {
				t.Errorf("%s: %s (%v), want %s", tt.in, got, err, tt.want)
			}
		})
	}
}

func TestCompileNamesThePlace(t *testing.T) {
	for _, tt := range []struct {
		name, in     string
		line, column int // 0: none
		words        string
	}{
		{"assignment", `annotation.completed_by = 5`, 1, 25, "token recognition error"},
		{"unknown name", `annotaton.id == 1`, 1, 1, "did you mean 'annotation'?"},
		{"second line", "true &&\n\tannotation.foo(1)", 2, 16, "undeclared reference to 'foo'"},
		{"not ended", `annotation.id == `, 1, 18, "mismatched input"},
		{"types", `action == 5`, 1, 8, "no matching overload"},
		{"no boolean", `action + "x"`, 1, 1, "has type string, but must be true or false"},
		{"empty", " \n", 0, 0, "the expression is empty"},
		{"regular expression", `action.matches("(")`, 0, 0, "missing closing )"},
		{"too long", strings.Repeat("a", MaxLength+1), 0, 0, "2001 bytes: at most 2000"},
		{"not UTF-8", "action == '\xff'", 0, 0, "not UTF-8"},
		{"too deep", strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200), 0, 0, "recursion limit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Compile(tt.in)
			fault, ok := errors.AsType[*SyntaxError](err)
			if !ok {
				t.Fatalf("error %v", err)
			}
			if fault.Line != tt.line || tt.column != 0 && fault.Column != tt.column || !strings.Contains(err.Error(), tt.words) {
				t.Errorf("error %q (line %d, column %d), want %d, %d, %q", err, fault.Line, fault.Column, tt.line, tt.column, tt.words)
			}
		})
	}
	_, err := Compile("true &&\n\tannotation.foo(1)")
	if fault, _ := errors.AsType[*SyntaxError](err); fault.Marked() != "\tannotation.foo(1)\n\t              ^" {
		t.Errorf("marked:\n%s", fault.Marked())
	}
	_, err = Compile(strings.Repeat("true && ", 100) + "foo == '\x1b[31m\u202e' && " + strings.Repeat("true && ", 100) + "true")
	want := "…" + strings.Repeat("true && ", 7)[6:] + "foo == ' [31m ' && true &…\n" + strings.Repeat(" ", 51) + "^"
	if fault, _ := errors.AsType[*SyntaxError](err); fault.Marked() != want {
		t.Errorf("marked:\n%q\nwant:\n%q", fault.Marked(), want)
	}
	if _, err = Compile("true \x1b[31m"); err == nil || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("error %q", err)
	}
}

// TestCostIsBounded whatever the expression does with the body: it fails, and the event
// passes.
func TestCostIsBounded(t *testing.T) {
	ten := "[0,1,2,3,4,5,6,7,8,9]"
	large := strings.Repeat("x", 400_000)
	b := func() *Body {
		return NewBody([]byte(`"task": {"data": {"text": "` + large + `", "other": "` + large + `"}}, "annotation": {"result": [` + strings.Repeat(`{"id": 1}, `, 5000) + `{"id": 1}]}`))
	}
	for name, text := range map[string]string{
		"loops":             ten + ".all(a, " + ten + ".all(b, " + ten + ".all(c, " + ten + ".all(d, " + ten + ".all(e, a + b + c + d + e >= 0)))))",
		"a large list":      `annotation.result.all(r, r.id == 1) && annotation.result.all(r, r.id > 0)`,
		"sizes of strings":  ten + ".all(a, size(task.data.text) > 0)",
		"equal strings":     ten + ".all(a, task.data.text == task.data.other)",
		"equal objects":     ten + ".all(a, task == task)",
		"equal literals":    ten + ".all(a, [task, task] == [task, task])",
		"object in a list":  ten + ".all(a, !(annotation in [task, task, task]))",
		"search":            ten + ".all(a, !task.data.text.contains('xy'))",
		"patterns":          ten + ".all(a, !task.data.text.matches('(x+x+)+y'))",
		"joined":            ten + ".all(a, size(task.data.text + task.data.text) > 0)",
		"joined to be huge": `[task.data.text].map(a, a + a).map(a, a + a).map(a, a + a).map(a, a + a).map(a, a + a).size() == 1`,
		"converted":         ten + ".all(a, size(bytes(task.data.text)) > 0)",
	} {
		t.Run(name, func(t *testing.T) {
			pass, err := compile(t, text).Pass("TASK_CREATED", b())
			if !pass || err == nil || !strings.Contains(err.Error(), "cost limit exceeded") {
				t.Errorf("pass %v, error %v", pass, err)
			}
		})
	}
	if pass, err := compile(t, `annotation.result.size() > 5000 && task.data.text != '' && task.data.text.contains("xx") && annotation.result.exists(r, r.id == 2 || r.id == 1)`).Pass("TASK_CREATED", b()); !pass || err != nil {
		t.Errorf("a large body: %v, %v", pass, err)
	}
}

// BenchmarkPass is what a filter costs on a body of 2 KB that others have decoded, and what
// decoding costs the first of them.
func BenchmarkPass(b *testing.B) {
	text := []byte(strings.Replace(members, "some text", strings.Repeat("some text ", 150), 1))
	f := compile(b, `annotation.completed_by != 5 && annotation.result.size() > 0`)
	b.Run("decoded", func(b *testing.B) {
		decoded := NewBody(text, []byte(project))
		b.ReportAllocs()
		for b.Loop() {
			if pass, err := f.Pass(mapping.AnnotationCreated, decoded); !pass || err != nil {
				b.Fatal(pass, err)
			}
		}
	})
	b.Run("first", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if pass, err := f.Pass(mapping.AnnotationCreated, NewBody(text, []byte(project))); !pass || err != nil {
				b.Fatal(pass, err)
			}
		}
	})
	regions := compile(b, `annotation.result.exists(r, r.type == "polygonlabels")`)
	b.Run("regions", func(b *testing.B) {
		decoded := NewBody(text, []byte(project))
		b.ReportAllocs()
		for b.Loop() {
			if pass, err := regions.Pass(mapping.AnnotationCreated, decoded); pass || err != nil {
				b.Fatal(pass, err)
			}
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		compile(b, `annotation.completed_by != 5 && annotation.result.size() > 0`)
	}
}
