package main

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/dispatch/hook"
)

func (a *app) hooksCommand() *cobra.Command {
	hooks := &cobra.Command{
		Use:   "hooks",
		Short: "List and manage hooks",
		Args:  noArgs,
	}
	hooks.AddCommand(a.listHooksCommand(), a.showHookCommand(), a.pingCommand(), a.retryCommand(), a.pauseCommand(), a.resumeCommand(),
		a.adoptCommand(), a.releaseCommand(), a.secretCommand(), a.setHookCommand(), a.testFilterCommand())
	return hooks
}

func projectOf(h *hook.Hook) string {
	if h.Project == 0 {
		return "all"
	}
	return strconv.FormatInt(h.Project, 10)
}

func actionsOf(h *hook.Hook) string {
	if h.AllActions {
		return "all"
	}
	names := make([]string, len(h.Actions))
	for i, action := range h.Actions {
		names[i] = actionText(string(action))
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ",")
}

// actionText returns the action, in quotes if it contains invisible characters: a row can
// hold any text.
func actionText(text string) string {
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r == ',' || r == '"' || !unicode.IsGraphic(r) || unicode.IsSpace(r) }) {
		return strconv.Quote(text)
	}
	return text
}
