package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// commandFault is what is wrong with `hooktail ARGS…` as a command line, without
// running it.
func commandFault(args []string) error {
	root := (&app{}).root()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	cmd, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	cmd.InitDefaultHelpFlag()
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	words := cmd.Flags().Args()
	if cmd.Name() == "help" {
		if topic, left, err := root.Find(words); err != nil || len(left) > 0 || topic == root {
			return fmt.Errorf("no help on %q", words)
		}
		return nil
	}
	if !cmd.Runnable() && !slices.Contains(args, "--help") {
		return fmt.Errorf("%s is not a command by itself", cmd.CommandPath())
	}
	return cmd.ValidateArgs(words)
}

// TestCommandFault finds what the tests of documents and deployments look for.
func TestCommandFault(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		good bool
	}{
		{nil, true},
		{[]string{"run", "--setup"}, true},
		{[]string{"hooks", "pause", "3", "5"}, true},
		{[]string{"help", "environment"}, true},
		{[]string{"completion", "bash"}, true},
		{[]string{"run", "--setpu"}, false},
		{[]string{"runn"}, false},
		{[]string{"hooks", "paus", "3"}, false},
		{[]string{"hooks", "ping"}, false},
		{[]string{"help", "variables"}, false},
	} {
		if err := commandFault(c.args); (err == nil) != c.good {
			t.Errorf("%q: %v", c.args, err)
		}
	}
}

// TestHelpFitsTheTerminal: no line of help is wider than 80 columns, whatever the command.
func TestHelpFitsTheTerminal(t *testing.T) {
	t.Parallel()
	root := (&app{}).root()
	eachCommand(root, func(cmd *cobra.Command) {
		if cmd.HasParent() && cmd.Parent().Name() == "completion" || cmd.Hidden {
			return // cobra's own texts, and a page for packagers
		}
		for line := range strings.Lines(cmd.UsageString() + cmd.Long) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 && !strings.HasPrefix(line, `Use "`) {
				t.Errorf("%s: %d columns: %s", cmd.CommandPath(), n, line)
			}
		}
	})
}
