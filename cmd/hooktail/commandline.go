package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/spelling"
)

// finish adds to every command what all share: an error for unknown subcommands, examples
// and completions.
func (a *app) finish(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	root.SetFlagErrorFunc(flagError)
	root.SetUsageFunc(printUsage)
	root.PersistentPreRunE = noEmptyFlags
	eachCommand(root, func(cmd *cobra.Command) {
		if cmd.HasSubCommands() && !cmd.Runnable() {
			cmd.Args, cmd.DisableFlagsInUseLine = noArgs, true
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
		if cmd.Name() == "help" {
			cmd.Run, cmd.RunE = nil, helpOn
		}
		_, path, _ := strings.Cut(cmd.CommandPath(), " ")
		if lines := examples()[path]; len(lines) > 0 {
			cmd.Example = "  " + strings.Join(lines, "\n  ")
		}
		if !cmd.IsAdditionalHelpTopicCommand() && cmd.Name() != "completion" && (cmd.Parent() == nil || cmd.Parent().Name() != "completion") {
			cmd.Long = display.Wrap(cmd.Long, helpWidth)
		}
		a.complete(cmd)
	})
}

// group is a command that only has subcommands.
func group(name, about string, commands ...*cobra.Command) *cobra.Command {
	parent := &cobra.Command{Use: name, Short: about}
	parent.AddCommand(commands...)
	return parent
}

// helpWidth is the width of help texts, in columns: that of the narrowest terminals.
const helpWidth = 80

func eachCommand(cmd *cobra.Command, do func(*cobra.Command)) {
	do(cmd)
	for _, child := range cmd.Commands() {
		eachCommand(child, do)
	}
}

// noArgs refuses arguments, which on the root command are unknown commands.
func noArgs(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case cmd.HasSubCommands():
		return noSubcommand(cmd, args[0])
	default:
		return usageError{fmt.Errorf("%s takes no arguments, got %q", cmd.CommandPath(), args[0])}
	}
}

// noSubcommand is the error for a name that none of the command's subcommands has.
func noSubcommand(cmd *cobra.Command, given string) error {
	var names []string
	for _, child := range cmd.Commands() {
		if child.IsAvailableCommand() || child.IsAdditionalHelpTopicCommand() {
			names = append(names, child.Name())
		}
	}
	unknown := fmt.Sprintf("unknown command %q for %q", given, cmd.CommandPath())
	if name := spelling.Nearest(given, names); name != "" {
		return usageError{fmt.Errorf("%s: did you mean `%s %s`?", unknown, cmd.CommandPath(), name)}
	}
	return usageError{fmt.Errorf("%s: choose from %s", unknown, strings.Join(names, ", "))}
}

// helpOn implements `hooktail help COMMAND…`.
func helpOn(cmd *cobra.Command, args []string) error {
	on := cmd.Root()
	for _, name := range args {
		i := slices.IndexFunc(on.Commands(), func(c *cobra.Command) bool { return c.Name() == name || c.HasAlias(name) })
		if i < 0 {
			return noSubcommand(on, name)
		}
		on = on.Commands()[i]
	}
	on.InitDefaultHelpFlag()
	return on.Help()
}

// flagError names the flag of a value that cannot be used, suggests the nearest flag for a
// misspelt one, and explains how to pass a negative id.
func flagError(cmd *cobra.Command, err error) error {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if ok && unknown.GetSpecifiedShortnames() != "" && strings.Trim(unknown.GetSpecifiedShortnames(), "0123456789") == "" {
		return usageError{fmt.Errorf("-%s looks like a flag: put -- before a negative id, as in `%s -- -%[1]s`", unknown.GetSpecifiedShortnames(), cmd.CommandPath())}
	}
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		flag := "--" + invalid.GetFlag().Name
		if invalid.GetFlag().Value.Type() != kindURL {
			flag += "=" + invalid.GetValue()
		}
		return usageError{fmt.Errorf("%s: %w", flag, invalid.Unwrap())}
	}
	if !ok || len(unknown.GetSpecifiedName()) < 2 {
		return usageError{err}
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if name := spelling.Nearest(unknown.GetSpecifiedName(), names); name != "" {
		return usageError{fmt.Errorf("%w: did you mean --%s?", err, name)}
	}
	return usageError{fmt.Errorf("%w: see `%s --help`", err, cmd.CommandPath())}
}

// some requires between one and most arguments; most = 0 means no limit. what names the
// arguments in the error.
func some(what string, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 || most > 0 && len(args) > most {
			return usageError{fmt.Errorf("%s requires %s, got %d arguments", cmd.CommandPath(), what, len(args))}
		}
		return nil
	}
}
