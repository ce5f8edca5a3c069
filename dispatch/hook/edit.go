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

// Edit is a change of a hook's choice, as people write it. Nil leaves a value unchanged;
// "" and none remove it.
type Edit struct {
	Events *string // "+TASK_COMPLETED,-TASK_CREATED": changes of the events, not a complete list
	Filter *string
	Rate   *string
	Format *string
}

// Apply checks the changes, and makes them if all are valid; otherwise the error lists
// the invalid ones, a filter's as a *filter.SyntaxError.
func (e *Edit) Apply(c *state.Choice) error {
	next := *c
	var faults []error
	set := func(of string, text *string, set func(text string) error) {
		if text == nil {
			return
		}
		given := strings.TrimSpace(*text)
		if given == "none" {
			given = ""
		}
		if err := set(given); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", of, err))
		}
	}
	set("events", e.Events, func(text string) error { return chooseEvents(&next, text) })
	set("filter", e.Filter, func(text string) (err error) {
		if next.Filter = text; text != "" {
			_, err = filter.Compile(text)
		}
		return err
	})
	set("rate", e.Rate, func(text string) (err error) {
		if next.Rate = text; text != "" {
			_, err = ParseRate(text)
		}
		return err
	})
	set("format", e.Format, func(text string) error {
		format, err := ParseFormat(text)
		next.Format = string(format)
		return err
	})
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	*c = next
	return nil
}

// actionName matches the names of all actions, including custom ones.
var actionName = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)

// chooseEvents changes the events: adding an event ends its removal and vice versa, in
// either spelling.
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
			return fmt.Errorf("%q is not an action name: use capital letters, digits and _, beginning with a letter, at most 64 characters", name)
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
	other := spellings[action]
	return slices.DeleteFunc(slices.Clone(actions), func(a mapping.Action) bool { return a == action || a == other })
}
