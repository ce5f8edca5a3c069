package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/internal/display"
)

// screen is standard output, as it is now.
func (a *app) screen() display.Screen { return display.NewScreen(a.stdout, a.environ) }

// printJSON prints a value for machines.
func printJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	return nil
}

// printFacts prints names and values, a pair a line.
func printFacts(screen display.Screen, facts [][2]string) error {
	table := screen.Table()
	for _, fact := range facts {
		table.Row(fact[0]+":", fact[1])
	}
	return table.Flush()
}

// maskedURL is where a hook's URL leads, without its path: those of Slack and Discord are
// secrets.
func maskedURL(text string) string {
	u, err := hook.ParseURL(text)
	if err != nil {
		return "(invalid)"
	}
	return u.String()
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
