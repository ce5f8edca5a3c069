package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/internal/display"
)

// screen returns standard output, with the terminal's width and colours.
func (a *app) screen() display.Screen { return display.NewScreen(a.stdout, a.environ) }

func withJSON(about string, cmd *cobra.Command) *cobra.Command {
	cmd.Flags().Bool("json", false, about)
	return cmd
}

func asJSON(cmd *cobra.Command) bool {
	set, _ := cmd.Flags().GetBool("json")
	return set
}

// printAnswer prints the value as indented JSON if --json is set, else as text.
func printAnswer(cmd *cobra.Command, value any, text func() error) error {
	if !asJSON(cmd) {
		return text()
	}
	encoder := json.NewEncoder(cmd.OutOrStdout())
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	return nil
}

// printFacts prints one name and value per line.
func printFacts(screen display.Screen, facts [][2]string) error {
	table := screen.Table()
	for _, fact := range facts {
		table.Row(fact[0]+":", fact[1])
	}
	return table.Flush()
}

// maskedURL returns a hook's URL without credentials, path and query. The paths of Slack
// and Discord are secrets.
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
