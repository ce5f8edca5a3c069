package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/relay"
	"github.com/hooktail/hooktail/internal/wiring"
	"github.com/hooktail/hooktail/mapping"
)

// completeWithin bounds the time to complete a word.
const completeWithin = 2 * time.Second

// completed bounds the number of event ids offered.
const completed = 50

// arguments are what a command takes beside its flags.
type arguments struct {
	check    cobra.PositionalArgs
	complete cobra.CompletionFunc
}

// complete checks and completes the command's arguments, of the kind that its usage line
// gives, and registers the completions of its flags.
func (a *app) complete(cmd *cobra.Command) {
	noFiles := cobra.FixedCompletions(nil, cobra.ShellCompDirectiveNoFileComp)
	_, kind, _ := strings.Cut(cmd.Use, " ")
	takes, known := map[string]arguments{
		"ID":          {some("the id of one hook", 1), a.fromDatabase(hookCompletions, true)},
		"ID…":         {some("the ids of hooks", 0), a.fromDatabase(hookCompletions, false)},
		"ID… | --all": {hooksOrAll, a.fromDatabase(hookCompletions, false)},
		"EVENT":       {some("the id of one event", 1), a.fromDatabase(eventCompletions, true)},
		"[EVENT]":     {atMostOne, a.fromDatabase(eventCompletions, true)},
		"DIRECTORY":   {some("one directory", 1), cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)},
	}[kind]
	if !known {
		takes = arguments{noArgs, noFiles}
	}
	if cmd.Args == nil && cmd.Name() != "help" {
		cmd.Args = takes.check
	}
	if cmd.ValidArgsFunction == nil && !cmd.HasSubCommands() {
		cmd.ValidArgsFunction = takes.complete
	}
	special := map[string]cobra.CompletionFunc{
		"hook":   a.fromDatabase(hookCompletions, false),
		"events": eventChanges,
		"format": cobra.FixedCompletions([]string{"labelstudio", string(hook.CloudEvents), string(hook.CloudEventsStructured)}, cobra.ShellCompDirectiveNoFileComp),
	}
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		values := special[f.Name]
		switch value, ok := f.Value.(*checked); {
		case ok:
			values = cobra.FixedCompletions(value.known, cobra.ShellCompDirectiveNoFileComp)
		case values == nil:
			values = noFiles
		}
		_ = cmd.RegisterFlagCompletionFunc(f.Name, values) // fails if it has one
	})
}

// eventChanges completes the last of several changes of a hook's events.
func eventChanges(_ *cobra.Command, _ []string, word string) (offers []cobra.Completion, _ cobra.ShellCompDirective) {
	before := word[:strings.LastIndex(word, ",")+1]
	for _, sign := range []string{"+", "-"} {
		for _, name := range actionNames() {
			offers = append(offers, before+sign+name)
		}
	}
	return offers, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

func actionNames() []string {
	actions := slices.Concat(mapping.Guide.Actions(), mapping.Native.Actions(), []mapping.Action{mapping.TaskCompleted, mapping.TaskReopened})
	var names []string
	for _, action := range actions {
		names = append(names, string(action))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// fromDatabase completes a word from the database. It offers nothing if the database does
// not answer in time. If once is set, the command takes one argument.
func (a *app) fromDatabase(look func(context.Context, config.Config) ([]string, error), once bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		const nothing = cobra.ShellCompDirectiveNoFileComp
		if once && len(args) > 0 {
			return nil, nothing
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
		defer cancel()
		cfg, err := a.config()
		if err != nil {
			return nil, nothing
		}
		offers, err := look(ctx, cfg)
		if err != nil {
			return nil, nothing
		}
		return slices.DeleteFunc(offers, func(offer string) bool {
			value, _, _ := strings.Cut(offer, "\t")
			return slices.Contains(args, value)
		}), nothing | cobra.ShellCompDirectiveKeepOrder
	}
}

func hookCompletions(ctx context.Context, cfg config.Config) ([]string, error) {
	pool, err := wiring.OpenPool(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	known, err := wiring.ReadKnown(ctx, pool, cfg)
	if err != nil {
		return nil, err
	}
	var offers []string
	for _, h := range known.Hooks.All() {
		about := fmt.Sprintf("%s, project %s, %s", relay.StateOf(h, known.Settings[h.ID]), projectOf(h), h.URL.Origin())
		offers = append(offers, cobra.CompletionWithDesc(strconv.FormatInt(h.ID, 10), about))
	}
	return offers, nil
}

func eventCompletions(ctx context.Context, cfg config.Config) ([]string, error) {
	room, err := wiring.OpenForCommand(ctx, cfg, func(string) {})
	if err != nil {
		return nil, err
	}
	defer room.Close()
	rows, err := room.Store.List(ctx, state.Filter{Limit: completed})
	if err != nil {
		return nil, err
	}
	var offers []string
	for i := range rows {
		about := fmt.Sprintf("%s to hook %d, %s", rows[i].Action, rows[i].Hook, rows[i].State)
		offers = append(offers, cobra.CompletionWithDesc(rows[i].Event.String(), about))
	}
	return offers, nil
}
