package hook

import (
	"github.com/hooktail/hooktail/dispatch/filter"
	"github.com/hooktail/hooktail/mapping"
)

// Sifted is called with the effects of filters on the targets of an event.
type Sifted interface {
	// LeftOut is called for a target that does not get the event.
	LeftOut(t Target)
	// Failed is called for a target that gets the event because its filter failed. The
	// error may quote the event's body.
	Failed(t Target, err error)
}

// Sift returns the targets that get the rendered event, in order: all but those whose
// filter is false for its body. The body always includes the payload, and is decoded at
// most once. It changes the slice.
func Sift(e *mapping.Event, targets []Target, to Sifted) []Target {
	var body *filter.Body
	passed := targets[:0]
	for _, t := range targets {
		if t.Filter == nil {
			passed = append(passed, t)
			continue
		}
		if body == nil {
			members := e.Members()
			body = filter.NewBody(members[:]...)
		}
		pass, err := t.Filter.Pass(t.Action, body)
		if err != nil {
			to.Failed(t, err)
		}
		if !pass {
			to.LeftOut(t)
			continue
		}
		t.Filter = nil
		passed = append(passed, t)
	}
	clear(targets[len(passed):])
	return passed
}
