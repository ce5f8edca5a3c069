package conformance

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDerivedExceptionsAreClaims: what an exception describes is allowed; that it
// does not occur is as wrong as what no exception describes.
func TestDerivedExceptionsAreClaims(t *testing.T) {
	request := func(hook int64, body string) Request {
		return Request{Hook: hook, Action: "A", Body: json.RawMessage(body)}
	}
	want := []Derived{
		{Request: request(1, `{"action": "A", "annotation": {"id": 1}}`), Scenario: "s", tasks: []int64{1}},
		{Request: request(1, `{"action": "A", "annotation": {"id": 2}}`), Scenario: "s", tasks: []int64{2}},
	}
	first, second := want[0].Request, want[1].Request
	third := request(1, `{"action": "A", "annotation": {"id": 3}}`)
	missing := Exception{Scenario: "s", Why: "missing", Hooks: []int64{1}, Action: "A", Missing: `{"action": "A", "annotation": {"id": 2}}`}
	extra := Exception{Scenario: "s", Why: "extra", Hooks: []int64{1}, Action: "A", Extra: `{"action": "A", "annotation": {"id": 3}}`}
	may := Exception{Scenario: "s", Why: "may", May: true, Hooks: []int64{1}, Missing: "*"}
	for _, tt := range []struct {
		name       string
		got        []Request
		exceptions []Exception
		allowed    int
		problem    string // "": none
	}{
		{"equal", []Request{first, second}, nil, 0, ""},
		{"missing", []Request{first}, nil, 0, "is missing"},
		{"missing as described", []Request{first}, []Exception{missing}, 1, ""},
		{"another is missing", []Request{second}, []Exception{missing}, 0, "is missing"},
		{"described and there", []Request{first, second}, []Exception{missing}, 0, "exception did not occur: missing"},
		{"one too many", []Request{first, second, third}, nil, 0, "is unexpected"},
		{"one too many as described", []Request{first, second, third}, []Exception{extra}, 1, ""},
		{"described twice", []Request{first, second, third, third}, []Exception{extra}, 1, "is unexpected"},
		{"described and not there", []Request{first, second}, []Exception{extra}, 0, "exception did not occur: extra"},
		{"may be missing", nil, []Exception{may}, 2, ""},
		{"may be there", []Request{first, second}, []Exception{may}, 0, ""},
		{"of a hook that gets nothing", []Request{first, second}, []Exception{{Scenario: "s", Why: "other", Hooks: []int64{2}, Extra: "{}"}}, 0, "hook 2: exception did not occur: other"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			result := CompareDerived("s", want, tt.got, tt.exceptions...)
			if result.Allowed != tt.allowed {
				t.Errorf("allowed = %d, want %d", result.Allowed, tt.allowed)
			}
			problems := strings.Join(result.Problems, "\n")
			if (tt.problem == "") != (problems == "") || !strings.Contains(problems, tt.problem) {
				t.Errorf("problems = %q, want %q", problems, tt.problem)
			}
		})
	}
}

func TestReduced(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{
			"annotation", `{"action": "A", "annotation": {"id": 1, "task": 2}, "task": {"id": 2, "data": {}}, "project": {"id": 3, "title": "x"}}`,
			`{"action": "A", "annotation": {"id": 1, "task": 2}, "task": {"id": 2}, "project": {"id": 3}}`,
		},
		{"lists", `{"action": "A", "tasks": [{"id": 2, "data": {}}, {"id": 3}]}`, `{"action": "A", "tasks": [{"id": 2}, {"id": 3}]}`},
		{"no payload", `{"action": "A"}`, `{"action": "A"}`},
		{"null", `{"action": "A", "task": null}`, `{"action": "A", "task": null}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Reduced(Request{Body: json.RawMessage(tt.in)}).Body
			if diff := Diff(json.RawMessage(tt.want), got); len(diff) > 0 {
				t.Errorf("reduced: %v", diff)
			}
		})
	}
}

// TestMomentsDifferInNestedRowsAlone: when bodies are made changes neither which
// requests there are nor what they are about.
func TestMomentsDifferInNestedRowsAlone(t *testing.T) {
	for _, profile := range []Profile{Guide, Native} {
		reduced := func(moment Moment) (all []string) {
			d := Derivation{Profile: profile, Schema: read(t, "schema.sql"), Base: read(t, "base.sql"), Shown: moment}
			derived, err := d.Derive(load(t))
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range load(t) {
				for _, r := range derived[s.Name] {
					all = append(all, s.Name+" "+string(Reduced(r.Request).Body))
				}
			}
			return all
		}
		want := reduced(AfterCall)
		for _, moment := range []Moment{AfterTransaction, AtEnd} {
			if diff := cmp.Diff(want, reduced(moment)); diff != "" {
				t.Errorf("%s, moment %d (-after call +then):\n%.2000s", profile, moment, diff)
			}
		}
	}
}

// TestExceptionsNameScenarios: a name that is misspelt would never be looked for.
func TestExceptionsNameScenarios(t *testing.T) {
	var names []string
	for _, s := range load(t) {
		names = append(names, s.Name)
	}
	for _, e := range slices.Concat(Exceptions(), IdentityDefaultExceptions(Guide), IdentityDefaultExceptions(Native)) {
		if !slices.Contains(names, e.Scenario) {
			t.Errorf("no scenario %s", e.Scenario)
		}
		if e.Why == "" || len(e.Hooks) == 0 || e.Action == "" {
			t.Errorf("%s: an exception without reason, hooks or action: %+v", e.Scenario, e)
		}
	}
}
