package conformance

import (
	"encoding/json"
	"fmt"
	"slices"
)

// CompareDerived compares what the hooks got in a scenario with what was
// derived for it: the same requests, whole bodies included, and the order that
// is promised: events of one task in the order of their commits, and the events
// of their project (or of several tasks) in order with them. Events of different
// tasks may overtake each other, since a hook gets several requests at a time.
// got is in the order of arrival.
func CompareDerived(scenario string, want []Derived, got []Request) Result {
	result := Result{Scenario: scenario, Requests: len(want)}
	all := slices.Clone(got)
	for _, d := range want {
		all = append(all, d.Request)
	}
	ids := hooksOf(all...)
	result.Hooks = len(ids)
	for _, hook := range ids {
		var own []Derived
		for _, d := range want {
			if d.Hook == hook {
				own = append(own, d)
			}
		}
		compareDerivedHook(&result, hook, own, ofHook(got, hook))
	}
	return result
}

func compareDerivedHook(result *Result, hook int64, want []Derived, got []Request) {
	at := arrivals(want, got)
	for i, d := range want {
		if at[i] < 0 {
			result.differs("hook %d: %s of tasks %v is missing", hook, d.Action, d.tasks)
			continue
		}
		if differences := compareRequests(d.Request, got[at[i]]); len(differences) > 0 {
			result.differs("hook %d: %s of tasks %v:%s", hook, d.Action, d.tasks, lines(differences))
			continue
		}
		if earlier := overtaken(want, at, i); earlier != nil {
			result.differs("hook %d: %s of tasks %v came before %s of tasks %v, which was committed earlier",
				hook, d.Action, d.tasks, earlier.Action, earlier.tasks)
			continue
		}
		result.Equal++
	}
	for i, r := range got {
		if !slices.Contains(at, i) {
			result.differs("hook %d: %s is one too many: %s", hook, r.Action, shown(string(r.Body)))
		}
	}
}

// overtaken is a request that should have come before request i, nil if there
// is none.
func overtaken(want []Derived, at []int, i int) *Derived {
	for j := range i {
		if want[j].precedes(want[i]) && at[j] > at[i] {
			return &want[j]
		}
	}
	return nil
}

// arrivals pairs each wanted request with the index of one in got, -1 if there
// is none: the first of equal ones, else the first left about the same rows.
func arrivals(want []Derived, got []Request) []int {
	at := slices.Repeat([]int{-1}, len(want))
	for _, key := range []func(Request) string{whole, subject} {
		left := map[string][]int{}
		for j, g := range got {
			if !slices.Contains(at, j) {
				left[key(g)] = append(left[key(g)], j)
			}
		}
		for i, w := range want {
			if same := left[key(w.Request)]; at[i] < 0 && len(same) > 0 {
				at[i], left[key(w.Request)] = same[0], same[1:]
			}
		}
	}
	return at
}

// whole is equal for requests with equal bodies.
func whole(r Request) string {
	body, err := parseBody(r.Body)
	if err != nil {
		return r.Action
	}
	return r.Action + canonical(body)
}

// subject is equal for requests of the same action about the same rows.
func subject(r Request) string {
	type row struct{ ID int64 }
	var body struct {
		Annotation, Project row
		Annotations, Tasks  []row
	}
	_ = json.Unmarshal(r.Body, &body) // what cannot be read is about nothing
	return fmt.Sprint(r.Action, body)
}

// precedes reports whether d must arrive before the later event. Nothing can be
// said of requests without payload, which all look the same.
func (d Derived) precedes(later Derived) bool {
	own, single := d.task()
	other, otherSingle := later.task()
	ordered := d.transaction != later.transaction
	if single && otherSingle {
		ordered = own == other
	}
	return ordered && d.project == later.project && !withoutPayload(d.Body)
}

// task is the one task that the event is about, if it is one.
func (d Derived) task() (id int64, single bool) {
	if len(d.tasks) == 0 || slices.Min(d.tasks) != slices.Max(d.tasks) {
		return 0, false
	}
	return d.tasks[0], true
}
