package conformance

import (
	"encoding/json"
	"fmt"
	"slices"
)

// CompareDerived compares the requests of a scenario with those derived for it, including
// whole bodies, and checks the promised order: events of one task in the order of their
// commits, and events of their project (or of several tasks) in order with them. Events
// of different tasks may overtake each other, since a hook gets several requests at a
// time. got is in order of arrival. The exceptions are those of the scenario.
func CompareDerived(scenario string, want []Derived, got []Request, exceptions ...Exception) Result {
	result := Result{Scenario: scenario, Requests: len(want)}
	all := slices.Clone(got)
	for _, d := range want {
		all = append(all, d.Request)
	}
	result.eachHook(all, exceptions, func(c comparison) {
		c.derived(slices.DeleteFunc(slices.Clone(want), func(d Derived) bool { return d.Hook != c.hook }), ofHook(got, c.hook))
	})
	return result
}

func (c comparison) derived(want []Derived, got []Request) {
	at := arrivals(want, got)
	for i, d := range want {
		if at[i] < 0 {
			if !c.excused(func(e *occurrence) bool { return e.lacks(d) }) {
				c.result.differs("hook %d: %s of tasks %v is missing", c.hook, d.Action, d.tasks)
			}
			continue
		}
		if differences := compareRequests(d.Request, got[at[i]]); len(differences) > 0 {
			c.result.differs("hook %d: %s of tasks %v:%s", c.hook, d.Action, d.tasks, lines(differences))
			continue
		}
		if earlier := overtaken(want, at, i); earlier != nil {
			c.result.differs("hook %d: %s of tasks %v came before %s of tasks %v, which was committed first",
				c.hook, d.Action, d.tasks, earlier.Action, earlier.tasks)
			continue
		}
		c.result.Equal++
	}
	for i, r := range got {
		if !slices.Contains(at, i) && !c.excused(func(e *occurrence) bool { return e.Extra != "" && e.is(e.Extra, r) }) {
			c.result.differs("hook %d: %s is unexpected: %s", c.hook, r.Action, shown(string(r.Body)))
		}
	}
}

// excused reports whether an exception explains a missing or unexpected request, and
// records it. An exception that must occur explains one request, one that may occur any
// number.
func (c comparison) excused(explains func(*occurrence) bool) bool {
	for _, e := range c.exceptions {
		if (e.May || !e.occurred) && explains(e) {
			e.occurred = true
			c.result.Allowed++
			return true
		}
	}
	return false
}

// lacks reports whether the exception states that the request is missing.
func (e Exception) lacks(d Derived) bool {
	return e.Scenario == d.Scenario && e.Missing != "" && (e.Missing == anything || e.is(e.Missing, d.Request))
}

// is reports whether the request has the action and these members; without payload only
// the action is compared.
func (e Exception) is(members string, r Request) bool {
	return e.covers(r) && (withoutPayload(r.Body) || hasMembers(r.Body, members))
}

// overtaken returns a request that should have come before request i, nil if there is
// none.
func overtaken(want []Derived, at []int, i int) *Derived {
	for j := range i {
		if want[j].precedes(want[i]) && at[j] > at[i] {
			return &want[j]
		}
	}
	return nil
}

// arrivals pairs each wanted request with an index in got, -1 if there is none: the first
// equal one, else the first remaining one about the same rows.
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
	_ = json.Unmarshal(r.Body, &body) // an unreadable body is about nothing
	return fmt.Sprint(r.Action, body)
}

// precedes reports whether d must arrive before the later event. Requests without payload
// cannot be distinguished, so they have no order.
func (d Derived) precedes(later Derived) bool {
	own, single := d.task()
	other, otherSingle := later.task()
	ordered := d.transaction != later.transaction
	if single && otherSingle {
		ordered = own == other
	}
	return ordered && d.project == later.project && !withoutPayload(d.Body)
}

// task returns the event's task, if there is exactly one.
func (d Derived) task() (id int64, single bool) {
	if len(d.tasks) == 0 || slices.Min(d.tasks) != slices.Max(d.tasks) {
		return 0, false
	}
	return d.tasks[0], true
}
