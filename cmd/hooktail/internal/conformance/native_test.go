package conformance

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestNativeRulesGiveTheRecordedRequests derives what Label Studio sent from the
// WAL's text alone: the parser, the bodies and the routing are right, and the
// exceptions are all there are.
func TestNativeRulesGiveTheRecordedRequests(t *testing.T) {
	derived := derive(t, Native)
	var results []Result
	var equal, allowed int
	for _, s := range load(t) {
		r := CompareNative(s, requests(derived[s.Name]), true)
		results = append(results, r)
		equal += r.Equal
		allowed += r.Allowed
		for _, problem := range r.Problems {
			t.Error(problem)
		}
		if r.Different > 0 && len(r.Problems) == 0 {
			t.Errorf("%s: %d requests differ without a word", s.Name, r.Different)
		}
	}
	if equal != 196 || allowed != 13 {
		t.Errorf("%d equal and %d allowed, want 196 and 13\n%s", equal, allowed, Table(results))
	}
}

// TestExceptionsMustOccur compares the recorded requests with themselves: all
// are equal, but not where an exception claims that hooktail sends otherwise.
func TestExceptionsMustOccur(t *testing.T) {
	for _, s := range load(t) {
		r := CompareNative(s, s.Expected, true)
		if exceptions := exceptionsOf(s.Name); len(exceptions) > 0 {
			if r.Different == 0 || !strings.Contains(strings.Join(r.Problems, "\n"), "did not occur") {
				t.Errorf("%s: %+v, want the exception to be missed", s.Name, r)
			}
			continue
		}
		if r.Equal != len(s.Expected) || r.Different+r.Allowed+len(r.Problems) > 0 {
			t.Errorf("%s: %+v, want all equal", s.Name, r)
		}
	}
}

func TestExceptionsAreOfRecordedScenarios(t *testing.T) {
	names := map[string]bool{}
	for _, s := range load(t) {
		names[s.Name] = true
	}
	for _, e := range Exceptions() {
		kinds := 0
		for _, set := range []bool{e.Extra != "", len(e.Differences) > 0, e.Union != ""} {
			if set {
				kinds++
			}
		}
		if !names[e.Scenario] || kinds != 1 || e.Why == "" || len(e.Hooks) == 0 || e.Action == "" {
			t.Errorf("incomplete exception: %+v", e)
		}
	}
}

func TestCompareNativeFinds(t *testing.T) {
	s := numbered(t, 58) // three requests of hook 10: created, updated, deleted
	for _, tt := range []struct {
		name string
		do   func(got []Request) []Request
		want string
	}{
		{"missing", func(got []Request) []Request { return got[:2] }, "request 2, ANNOTATIONS_DELETED, is missing"},
		{"one too many", func(got []Request) []Request { return append(got, got[2]) }, "request 3, ANNOTATIONS_DELETED, is unexpected"},
		{"order", func(got []Request) []Request { return []Request{got[1], got[0], got[2]} }, "want [ANNOTATION_CREATED PROJECT_UPDATED ANNOTATIONS_DELETED], got [PROJECT_UPDATED"},
		{"another hook", func(got []Request) []Request { return append(got, Request{Hook: 6, Action: "A", Body: got[2].Body}) }, "hook 6: request 0, A, is unexpected"},
		{"body", func(got []Request) []Request {
			got[1].Body = json.RawMessage(strings.Replace(string(got[1].Body), "Elsewhere, renamed", "Elsewhere", 1))
			return got
		}, `$.project.title: want "Elsewhere, renamed", got "Elsewhere"`},
		{"content type", func(got []Request) []Request {
			got[0].Headers = map[string]string{"content-type": "text/plain"}
			return got
		}, "header content-type: want application/json, got text/plain"},
		{"header of another hook", func(got []Request) []Request {
			got[0].Headers = maps.Clone(got[0].Headers)
			got[0].Headers["authorization"] = "x"
			return got
		}, "header authorization: want nothing, got x"},
		{"own headers of the sender", func(got []Request) []Request {
			got[0].Headers = maps.Clone(got[0].Headers)
			got[0].Headers["webhook-id"] = "x"
			return got
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := CompareNative(s, tt.do(slices.Clone(s.Expected)), true)
			problems := strings.Join(r.Problems, "\n")
			if !strings.Contains(problems, tt.want) || (r.Different > 0) != (tt.want != "") {
				t.Errorf("%d different, %q, want %q", r.Different, problems, tt.want)
			}
		})
	}
}

func TestAdditionalRequestMustBeAsDescribed(t *testing.T) {
	s := numbered(t, 25)
	const head = `{"action": "ANNOTATIONS_DELETED"`
	send := func(payload, without string) []Request {
		var got []Request
		for _, hook := range []int64{1, 2, 3, 6} {
			body := head + payload
			if hook == 2 {
				body = head + without
			}
			got = append(got, Request{
				Hook:    hook,
				Action:  "ANNOTATIONS_DELETED",
				Headers: map[string]string{"content-type": "application/json"},
				Body:    json.RawMessage(body),
			})
		}
		return got
	}
	const described = `, "annotations": [{"id": 15}], "project": {"id": 1, "title": "Newsroom"}}`
	for _, tt := range []struct {
		name             string
		payload, without string
		allowed          int
	}{
		{"as described", described, `}`, 4},
		{"one id too many", `, "annotations": [{"id": 15}, {"id": 16}], "project": {"id": 1}}`, `}`, 1},
		{"another project", `, "annotations": [{"id": 15}], "project": {"id": 2}}`, `}`, 1},
		{"payload is missing", `}`, `}`, 1},
		{"payload that the hook did not want", described, described, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := CompareNative(s, send(tt.payload, tt.without), true)
			if r.Allowed != tt.allowed || (r.Different == 0) != (tt.allowed == 4) {
				t.Errorf("%d allowed, %d different, want %d allowed", r.Allowed, r.Different, tt.allowed)
			}
		})
	}
}

func TestSecretsAreWantedAsNull(t *testing.T) {
	s := numbered(t, 5)
	r := CompareNative(s, s.Expected, false)
	if r.Different == 0 || !strings.Contains(strings.Join(r.Problems, "\n"), "$.project.token: want null") {
		t.Errorf("%+v, want the token to be one too many", r)
	}
	if r := CompareNative(s, withoutSecrets(s.Expected), false); r.Equal != len(s.Expected) {
		t.Errorf("%+v, want all equal", r)
	}
}

func TestTable(t *testing.T) {
	got := Table([]Result{{Scenario: "01-a", Hooks: 2, Requests: 3, Equal: 1, Different: 1, Allowed: 1}, {Scenario: "02-b", Requests: 1, Equal: 1}})
	want := `Scenario | hooks | requests | equal | different | allowed
---      | ---:  | ---:     | ---:  | ---:      | ---:
01-a     | 2     | 3        | 1     | 1         | 1
02-b     | 0     | 1        | 1     | 0         | 0
all      | 2     | 4        | 2     | 1         | 1
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
