package hook

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hooktail/hooktail/dispatch/filter"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/mapping"
)

// Edit is what somebody wants to change of what was chosen for a hook, as people write it.
// Nil leaves a value as it is; "" and none remove it.
type Edit struct {
	Events *string // "+TASK_COMPLETED,-TASK_CREATED": changes of the events, not all of them
	Filter *string
	Rate   *string
	Format *string
}

// Apply checks all that is to change, and changes the choice if it can be used: the error
// says what cannot. A *filter.SyntaxError is in it for a filter.
func (e *Edit) Apply(c *state.Choice) error {
	next := *c
	var faults []error
	fault := func(of string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", of, err))
		}
	}
	if e.Events != nil {
		fault("events", chooseEvents(&next, textOf(*e.Events)))
	}
	if e.Filter != nil {
		if next.Filter = textOf(*e.Filter); next.Filter != "" {
			_, err := filter.Compile(next.Filter)
			fault("filter", err)
		}
	}
	if e.Rate != nil {
		if next.Rate = textOf(*e.Rate); next.Rate != "" {
			_, err := ParseRate(next.Rate)
			fault("rate", err)
		}
	}
	if e.Format != nil {
		format, err := ParseFormat(textOf(*e.Format))
		next.Format = string(format)
		fault("format", err)
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	*c = next
	return nil
}

// textOf is the text without the word for nothing.
func textOf(text string) string {
	if text = strings.TrimSpace(text); text == "none" {
		return ""
	}
	return text
}

// actionName matches the names of all actions, custom ones among them.
var actionName = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)

// chooseEvents changes the events: what is added is not removed any more, and the other way
// round, in either spelling.
func chooseEvents(c *state.Choice, changes string) error {
	if changes == "" {
		c.Added, c.Removed = nil, nil
		return nil
	}
	for change := range strings.SplitSeq(changes, ",") {
		change = strings.TrimSpace(change)
		name := strings.TrimLeft(change, "+-")
		action := mapping.Action(name)
		switch {
		case len(change)-len(name) != 1:
			return fmt.Errorf("%q needs a sign: +%s adds the event, -%[2]s removes it", change, name)
		case !actionName.MatchString(name):
			return fmt.Errorf("%q is no name of an action: one has capital letters, digits and _, begins with a letter, and has at most 64 characters", name)
		case change[0] == '+':
			c.Added, c.Removed = with(c.Added, action), without(c.Removed, action)
		default:
			c.Added, c.Removed = without(c.Added, action), with(c.Removed, action)
		}
	}
	return nil
}

func with(actions []mapping.Action, action mapping.Action) []mapping.Action {
	actions = append(slices.Clone(actions), action)
	slices.Sort(actions)
	return slices.Compact(actions)
}

func without(actions []mapping.Action, action mapping.Action) []mapping.Action {
	other := otherSpelling(action)
	return slices.DeleteFunc(slices.Clone(actions), func(a mapping.Action) bool { return a == action || a == other })
}
