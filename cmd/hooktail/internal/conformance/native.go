package conformance

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
)

// CompareNative compares the requests of a scenario with those that Label Studio sent:
// for each hook the order, the actions, the hook's headers and the whole bodies, apart
// from the Exceptions. got is in order of arrival. Without secrets, project.token and
// project.task_data_password must be null.
func CompareNative(s Scenario, got []Request, secrets bool) Result {
	result := Result{Scenario: s.Name, Requests: len(s.Expected)}
	want := s.Expected
	if !secrets {
		want = withoutSecrets(want)
	}
	result.eachHook(slices.Concat(want, got), Of(s.Name, Exceptions()), func(c comparison) {
		c.native(ofHook(want, c.hook), ofHook(got, c.hook))
	})
	return result
}

func (c comparison) native(want, got []Request) {
	got = slices.DeleteFunc(got, func(r Request) bool {
		return c.excused(func(e *occurrence) bool { return e.Extra != "" && e.covers(r) && e.describes(r.Body) })
	})
	united := -1 // index in want
	for _, e := range c.exceptions {
		if e.Union != "" {
			got = c.unite(e, got)
			united = slices.IndexFunc(want, e.covers)
		}
	}
	if !slices.Equal(actionsOf(want), actionsOf(got)) {
		c.result.problem("hook %d: want %v, got %v", c.hook, actionsOf(want), actionsOf(got))
	}
	for i := range max(len(want), len(got)) {
		switch {
		case i >= len(got):
			c.result.differs("hook %d: request %d, %s, is missing", c.hook, i, want[i].Action)
		case i >= len(want):
			c.result.differs("hook %d: request %d, %s, is unexpected: %s", c.hook, i, got[i].Action, shown(string(got[i].Body)))
		default:
			c.compare(i, want[i], got[i], i == united)
		}
	}
}

func (e Exception) covers(r Request) bool { return r.Action == e.Action }

// describes reports whether a body has the members of Extra; if Extra has only the
// action, whether the body has nothing else.
func (e Exception) describes(body json.RawMessage) bool {
	if withoutPayload(json.RawMessage(e.Extra)) {
		return withoutPayload(body)
	}
	return hasMembers(body, e.Extra)
}

// hasMembers reports whether the body has these members, and possibly more, but no longer
// lists.
func hasMembers(body json.RawMessage, members string) bool {
	differences, err := Differences(json.RawMessage(members), body)
	return err == nil && !slices.ContainsFunc(differences, func(d Difference) bool {
		return d.Want != "" || strings.HasSuffix(d.Path, "]")
	})
}

// withoutPayload reports whether the body has only the action.
func withoutPayload(body json.RawMessage) bool {
	var members object
	return json.Unmarshal(body, &members) == nil && len(members) == 1
}

// unite joins what the application sent as one request, at the position of its first part.
func (c comparison) unite(e *occurrence, got []Request) []Request {
	var merged []Request
	var at int // index of the first part in merged
	var all object
	var members []json.RawMessage
	for _, r := range got {
		if !e.covers(r) {
			merged = append(merged, r)
			continue
		}
		var body object
		var elements []json.RawMessage
		err := json.Unmarshal(r.Body, &body)
		if err == nil {
			err = json.Unmarshal(body[e.Union], &elements)
		}
		delete(body, e.Union)
		if all == nil {
			at, all = len(merged), body
			merged = append(merged, r)
		} else {
			e.occurred = true
		}
		if diff := Diff(encode(all), encode(body)); err != nil || len(diff) > 0 {
			c.result.problem("hook %d: the parts differ in more than %s: %v %v", c.hook, e.Union, err, diff)
			return got
		}
		members = append(members, elements...)
	}
	if all != nil {
		all[e.Union] = encode(members)
		merged[at].Body = encode(all)
	}
	return merged
}

func (c comparison) compare(i int, want, got Request, united bool) {
	differences := compareRequests(want, got)
	unexplained := slices.Clone(differences)
	for _, e := range c.exceptions {
		if len(e.Differences) == 0 || !e.covers(want) {
			continue
		}
		e.occurred = true // as far as nothing of it stays unexplained
		for _, allowed := range e.Differences {
			before := len(unexplained)
			unexplained = slices.DeleteFunc(unexplained, func(d Difference) bool { return d.isCoveredBy(allowed) })
			if len(unexplained) == before {
				unexplained = append(unexplained, Difference{
					Path: "exception did not occur: " + allowed.Path,
					Want: allowed.Got,
					Got:  cmp.Or(allowed.Want, "nothing"),
				})
			}
		}
	}
	switch {
	case len(unexplained) > 0:
		c.result.differs("hook %d: request %d, %s:%s", c.hook, i, want.Action, lines(unexplained))
	case united || len(differences) > 0:
		c.result.Allowed++
	default:
		c.result.Equal++
	}
}

func (d Difference) isCoveredBy(allowed Difference) bool {
	return d.Path == allowed.Path && d.Want == allowed.Want && (d.Got == allowed.Got || allowed.Got == anything && d.Got != "")
}

// withoutSecrets returns the requests with project.token and project.task_data_password
// as null.
func withoutSecrets(requests []Request) []Request {
	held := slices.Clone(requests)
	for i, r := range held {
		var body, project object
		if json.Unmarshal(r.Body, &body) != nil || json.Unmarshal(body["project"], &project) != nil {
			continue // no payload
		}
		for _, secret := range []string{"token", "task_data_password"} {
			if _, there := project[secret]; there {
				project[secret] = json.RawMessage("null")
			}
		}
		body["project"] = encode(project)
		held[i].Body = encode(body)
	}
	return held
}
