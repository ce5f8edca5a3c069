package conformance

import (
	"maps"
	"slices"
)

// comparison compares the requests of one hook.
type comparison struct {
	result     *Result
	hook       int64
	exceptions []*occurrence
}

// occurrence is an exception, and whether it has occurred at the hook.
type occurrence struct {
	Exception
	occurred bool
}

// eachHook compares the requests hook by hook, in the order of the ids, and reports the exceptions
// that have not occurred.
func (r *Result) eachHook(requests []Request, exceptions []Exception, compare func(c comparison)) {
	hooks := map[int64]bool{}
	for _, request := range requests {
		hooks[request.Hook] = true
	}
	for _, e := range exceptions {
		for _, hook := range e.Hooks {
			hooks[hook] = true
		}
	}
	r.Hooks = len(hooks)
	for _, hook := range slices.Sorted(maps.Keys(hooks)) {
		c := comparison{result: r, hook: hook}
		for _, e := range exceptions {
			if slices.Contains(e.Hooks, hook) {
				c.exceptions = append(c.exceptions, &occurrence{Exception: e})
			}
		}
		compare(c)
		for _, e := range c.exceptions {
			if !e.occurred && !e.May {
				r.differs("hook %d: exception did not occur: %s", hook, e.Why)
			}
		}
	}
}

// ofHook returns the requests of one hook, in order.
func ofHook(requests []Request, hook int64) []Request {
	return slices.DeleteFunc(slices.Clone(requests), func(r Request) bool { return r.Hook != hook })
}
