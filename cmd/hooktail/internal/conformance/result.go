package conformance

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// Result is the comparison of a scenario's requests with those wanted.
type Result struct {
	Scenario  string
	Hooks     int // that must get a request, or got one
	Requests  int // wanted
	Equal     int
	Different int // missing, different and unexpected ones
	Allowed   int // requests that an Exception covers
	Problems  []string
}

func (r *Result) problem(format string, args ...any) {
	r.Problems = append(r.Problems, r.Scenario+": "+fmt.Sprintf(format, args...))
}

// differs counts one request as different.
func (r *Result) differs(format string, args ...any) {
	r.Different++
	r.problem(format, args...)
}

// Table formats the results of all scenarios, one line each, with totals.
func Table(results []Result) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 1, ' ', 0)
	fmt.Fprintln(w, "Scenario\t| hooks\t| requests\t| equal\t| different\t| allowed")
	fmt.Fprintln(w, "---\t| ---:\t| ---:\t| ---:\t| ---:\t| ---:")
	line := func(r Result) {
		fmt.Fprintf(w, "%s\t| %d\t| %d\t| %d\t| %d\t| %d\n", r.Scenario, r.Hooks, r.Requests, r.Equal, r.Different, r.Allowed)
	}
	sum := Result{Scenario: "all"}
	for _, r := range results {
		line(r)
		sum.Hooks += r.Hooks
		sum.Requests += r.Requests
		sum.Equal += r.Equal
		sum.Different += r.Different
		sum.Allowed += r.Allowed
	}
	line(sum)
	_ = w.Flush() // a Builder does not fail
	return text.String()
}

func actionsOf(requests []Request) []string {
	var actions []string
	for _, r := range requests {
		actions = append(actions, r.Action)
	}
	return actions
}

// compareRequests returns all differences of the request: action, the hook's own headers
// and content type, body.
func compareRequests(want, got Request) []Difference {
	var all []Difference
	if want.Action != got.Action {
		all = append(all, Difference{Path: "action", Want: want.Action, Got: got.Action})
	}
	for name, value := range want.Headers {
		if got.Headers[name] != value {
			all = append(all, Difference{Path: "header " + name, Want: value, Got: got.Headers[name]})
		}
	}
	for name, value := range got.Headers {
		if _, wanted := want.Headers[name]; !wanted && ofAHook(name) {
			all = append(all, Difference{Path: "header " + name, Got: value})
		}
	}
	bodies, err := Differences(want.Body, got.Body)
	if err != nil {
		return append(all, Difference{Path: "$", Want: "JSON", Got: err.Error()})
	}
	return append(all, bodies...)
}

// ofAHook reports whether recorded hooks define such a header. The sender's own headers
// (User-Agent, webhook-id …) are not compared.
func ofAHook(name string) bool {
	return name == "authorization" || strings.HasPrefix(name, "x-")
}

// lines returns the first few differences, one line each.
func lines(differences []Difference) string {
	const most = 6
	var text strings.Builder
	for i, d := range differences {
		if i == most {
			fmt.Fprintf(&text, "\n\t… %d more", len(differences)-most)
			break
		}
		text.WriteString("\n\t" + d.String())
	}
	return text.String()
}
