package main

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"unicode"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/wiring"
)

func (a *app) hooksCommand() *cobra.Command {
	hooks := &cobra.Command{
		Use:   "hooks",
		Short: "List and manage hooks",
		Args:  noArgs,
	}
	hooks.AddCommand(a.listHooksCommand(), a.showHookCommand(), a.pingCommand(), a.retryCommand(), a.pauseCommand(), a.resumeCommand(),
		a.adoptCommand(), a.releaseCommand(), a.secretCommand())
	return hooks
}

// readHooks is the hooks, what has been said of them, and what is stored for them, as
// the database has it now; also before setup.
func readHooks(ctx context.Context, pool *pgxpool.Pool, cfg config.Config) (*hook.Set, map[int64]state.Setting, map[int64]state.Backlog, error) {
	options := wiring.HooksOptions(cfg, slog.New(slog.DiscardHandler))
	version, err := state.Version(ctx, pool, cfg.StateSchema)
	if err != nil {
		return nil, nil, nil, err
	}
	settings, backlogs := map[int64]state.Setting{}, map[int64]state.Backlog{}
	if version == 0 {
		options.StateSchema = "" // before setup nobody has said anything of a hook
	} else if settings, backlogs, err = readStore(ctx, pool, cfg.StateSchema); err != nil {
		return nil, nil, nil, err
	}
	hooks := hook.NewSet(options)
	if err := wiring.LoadHooks(ctx, pool, hooks, ""); err != nil {
		return nil, nil, nil, err
	}
	return hooks, settings, backlogs, nil
}

// readStore is what has been said of hooks, and what is stored for them, by hook.
func readStore(ctx context.Context, pool *pgxpool.Pool, schema string) (map[int64]state.Setting, map[int64]state.Backlog, error) {
	store := state.New(state.Options{Pool: pool, Schema: schema})
	settings, backlogs := make(map[int64]state.Setting), make(map[int64]state.Backlog)
	said, err := store.Settings(ctx)
	for _, s := range said {
		settings[s.Hook] = s
	}
	if err != nil {
		return nil, nil, err
	}
	stored, err := store.Backlogs(ctx)
	for _, b := range stored {
		backlogs[b.Hook] = b
	}
	return settings, backlogs, err
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

// actionText is the action, in quotes if it would not be seen as it is: rows may hold any
// text.
func actionText(text string) string {
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r == ',' || r == '"' || !unicode.IsGraphic(r) || unicode.IsSpace(r) }) {
		return strconv.Quote(text)
	}
	return text
}
