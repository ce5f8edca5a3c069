package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// printUsage prints how the command is called, in helpWidth columns. It is no template: with
// text/template in the program, the linker would have to keep every exported method of every
// type, which are 5 MB of program, half of them resident.
func printUsage(cmd *cobra.Command) error {
	var b strings.Builder
	b.WriteString("Usage:\n")
	if cmd.Runnable() {
		fmt.Fprintf(&b, "  %s\n", cmd.UseLine())
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s [command]\n", cmd.CommandPath())
	}
	section(&b, "Examples:", cmd.Example)
	section(&b, "Available Commands:", children(cmd, func(c *cobra.Command) bool { return c.IsAvailableCommand() || c.Name() == "help" }))
	section(&b, "Flags:", flagUsages(cmd.LocalFlags()))
	section(&b, "Global Flags:", flagUsages(cmd.InheritedFlags()))
	section(&b, "Additional help topics:", children(cmd, (*cobra.Command).IsAdditionalHelpTopicCommand))
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\nUse \"%s [command] --help\" for more information about a command.\n", cmd.CommandPath())
	}
	_, err := io.WriteString(cmd.OutOrStderr(), b.String())
	return err //nolint:wrapcheck // cobra prints it
}

// flagUsages returns a line for each flag, without the values of those that need none.
func flagUsages(flags *pflag.FlagSet) string {
	const values = "[=true|false]"
	return strings.ReplaceAll(flags.FlagUsagesWrapped(helpWidth), values, strings.Repeat(" ", len(values)))
}

func section(b *strings.Builder, title, text string) {
	if text = strings.TrimRight(text, "\n"); text != "" {
		fmt.Fprintf(b, "\n%s\n%s\n", title, text)
	}
}

func children(cmd *cobra.Command, chosen func(*cobra.Command) bool) string {
	var lines strings.Builder
	for _, child := range cmd.Commands() {
		name, width := child.Name(), child.NamePadding()
		if child.IsAdditionalHelpTopicCommand() {
			name, width = child.CommandPath(), child.CommandPathPadding()
		}
		if chosen(child) {
			fmt.Fprintf(&lines, "  %-*s %s\n", width, name, child.Short)
		}
	}
	return lines.String()
}
