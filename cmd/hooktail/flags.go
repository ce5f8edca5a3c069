package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/internal/spelling"
	"github.com/hooktail/hooktail/mapping"
)

// checked is the value of a flag that is checked when the command line is read, before the
// configuration and the database.
type checked struct {
	text  string
	kind  string   // of the value, in the help
	known []string // offered by completions
	set   func(text string) error
}

// newChecked returns the value of a flag, and sets its default; "": it has none.
func newChecked(kind, byDefault string, set func(text string) error) *checked {
	c := &checked{kind: kind, set: set}
	if byDefault != "" {
		_ = c.Set(byDefault)
	}
	return c
}

func (c *checked) String() string { return c.text }
func (c *checked) Type() string   { return c.kind }

func (c *checked) Set(text string) error {
	err := c.set(text)
	if err == nil {
		c.text = text
	}
	return err
}

// oneOf accepts the known values. The default is what to holds.
func oneOf[T ~string](to *T, known ...T) *checked {
	names := make([]string, len(known))
	for i, value := range known {
		names[i] = string(value)
	}
	return &checked{text: string(*to), kind: "string", known: names, set: func(text string) error {
		if !slices.Contains(names, text) {
			last := len(names) - 1
			return fmt.Errorf("use %s or %s", strings.Join(names[:last], ", "), names[last])
		}
		*to = T(text)
		return nil
	}}
}

// timeInto accepts a time, or a duration before now.
func timeInto(to *time.Time, byDefault string) *checked {
	return newChecked("time", byDefault, func(text string) error {
		if d, err := time.ParseDuration(text); err == nil && d >= 0 {
			*to = time.Now().Add(-d)
			return nil
		}
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return errors.New("use a duration such as 90m, or a time such as 2026-11-23T09:37:58Z")
		}
		*to = at
		return nil
	})
}

// rateInto accepts a number per s, m or h, and sets the time between two requests.
func rateInto(every *time.Duration, byDefault string) *checked {
	return newChecked("rate", byDefault, func(text string) error {
		rate, err := hook.ParseRate(text)
		if err == nil {
			*every = rate.Per / time.Duration(rate.Requests)
		}
		return err
	})
}

// kindURL is the kind of values that may contain secrets.
const kindURL = "URL"

func urlInto(to *string) *checked {
	return newChecked(kindURL, "", func(text string) error {
		*to = text
		if _, err := hook.ParseURL(text); err != nil {
			return fmt.Errorf("%w, for example http://127.0.0.1:9000/hook", err)
		}
		return nil
	})
}

func addrInto(to *string, byDefault string) *checked {
	return newChecked("address", byDefault, func(text string) error {
		_, port, err := net.SplitHostPort(text)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil {
			return errors.New("use host:port with the port as a number")
		}
		*to = text
		return nil
	})
}

// actionInto accepts the actions that hooktail makes, and any that can be a custom event.
func actionInto(to *mapping.Action) *checked {
	known := actionNames()
	return &checked{kind: "string", known: known, set: func(text string) error {
		*to = mapping.Action(text)
		switch {
		case slices.Contains(known, text) || to.IsCustom():
			return nil
		case slices.Contains(known, strings.ToUpper(text)):
			return fmt.Errorf("did you mean %s?", strings.ToUpper(text))
		default:
			return fmt.Errorf("use the name of a custom event, or %s", strings.Join(known, ", "))
		}
	}}
}

// hint warns of an action that misspells a known one: custom actions may have any name.
func (c *control) hint(action mapping.Action) {
	known := actionNames()
	if name := spelling.Nearest(string(action), known); name != "" && !slices.Contains(known, string(action)) {
		fmt.Fprintf(c.err, "hooktail: %s is taken for a custom event: did you mean %s?\n", action, name)
	}
}

// noEmptyFlags refuses flags without a value, and the id 0: a variable of a script that is
// not set must not widen what a command applies to.
func noEmptyFlags(cmd *cobra.Command, _ []string) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		switch text := f.Value.String(); {
		case text == "":
			err = usageError{fmt.Errorf("--%s needs a value", f.Name)}
		case text == "0" && (f.Name == "hook" || f.Name == "project"):
			err = usageError{fmt.Errorf("--%s=0 is not the id of a %[1]s", f.Name)}
		}
	})
	return err
}
