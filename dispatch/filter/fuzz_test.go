package filter

import (
	"encoding/json"
	"testing"
)

// FuzzFilter: whatever the expression and the body, there is no panic and an end, and a
// fault leaves nothing out.
func FuzzFilter(f *testing.F) {
	for _, expression := range []string{
		`annotation.completed_by != 5 && annotation.result.size() > 0`,
		`has(payload.x) ? payload.x in [1, 2u, 3.0] : task.data.text.matches("^a+$")`,
		`annotation.result.filter(r, r.type == 'choices').map(r, r.value.choices[0]).exists_one(c, c == "cat")`,
		`timestamp(annotation.created_at).getFullYear() == 2026 && duration("1h") > duration("1m")`,
		`{"a": [project]} == {"a": [task]} || size(action) > int(task.id) || type(task) == map`,
	} {
		f.Add(expression, []byte(members), []byte(project))
	}
	f.Add(`task.a`, []byte(`"task": {"a": true`), []byte("}"))
	f.Fuzz(func(t *testing.T, expression string, first, second []byte) {
		filter, err := Compile(expression)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		b := NewBody(first, second)
		for range 2 { // the second time it is decoded
			pass, err := filter.Pass("TASK_CREATED", b)
			if err != nil && !pass {
				t.Errorf("left out for a fault: %v", err)
			}
		}
	})
}

// FuzzBody: a text is decoded as encoding/json decodes it, or is an error in both.
func FuzzBody(f *testing.F) {
	f.Add([]byte(`{"a": [1, 2.5, "x\u00fc", null, true], "b": {}}`))
	f.Add([]byte(`[[[[]]]]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var want any
		if json.Unmarshal(text, &want) != nil {
			reach(decode(text)) // no panic
			return
		}
		v := decode(text)
		defer func() {
			if t.Failed() {
				t.Logf("%q", text)
			}
		}()
		plain(t, v)
	})
}
