package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/parking"
	"github.com/hooktail/hooktail/mapping"
)

func (a *app) hooksCommand() *cobra.Command {
	hooks := &cobra.Command{
		Use:   "hooks",
		Short: "Look at the hooks, and say how they are served",
		Args:  noArgs,
	}
	hooks.AddCommand(&cobra.Command{
		Use:   "list",
		Short: "List all hooks, what they want and what is wrong with them",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.config()
			if err != nil {
				return err
			}
			return listHooks(cmd.Context(), a.stdout, cfg)
		},
	}, a.showHookCommand(), a.pingCommand(), a.pauseCommand(), a.resumeCommand(),
		a.adoptCommand(), a.releaseCommand(), a.secretCommand())
	return hooks
}

func listHooks(ctx context.Context, out io.Writer, cfg config.Config) error {
	pool, err := openPool(ctx, cfg)
	if err != nil {
		return err
	}
	defer pool.Close()
	hooks, settings, backlogs, err := readHooks(ctx, pool, cfg)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tORGANIZATION\tPROJECT\tSTATE\tPARKED\tDEAD\tPAYLOAD\tHEADERS\tACTIONS\tURL")
	for _, h := range hooks.All() {
		fmt.Fprintf(w, "%d\t%d\t%s\t%s\t%d\t%d\t%s\t%d\t%s\t%s\n", h.ID, h.Organization, projectOf(h),
			stateOf(h, settings[h.ID]), backlogs[h.ID].Parked.Rows, backlogs[h.ID].Dead.Rows,
			yesNo(h.SendPayload), h.Headers.Len(), actionsOf(h), h.URL)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print hooks: %w", err)
	}
	for _, row := range hooks.Unreadable() {
		fmt.Fprintf(out, "the row %q of %s is left out, it cannot be read: %s\n", row.Key, row.Table, row.Fault)
	}
	return nil
}

// readHooks is the hooks, what has been said of them, and what is stored for them, as
// the database has it now; also before setup.
func readHooks(ctx context.Context, pool *pgxpool.Pool, cfg config.Config) (*dispatch.Hooks, map[int64]parking.Setting, map[int64]parking.Backlog, error) {
	options := hooksOptions(cfg, slog.New(slog.DiscardHandler))
	version, err := parking.Version(ctx, pool, cfg.StateSchema)
	if err != nil {
		return nil, nil, nil, err
	}
	settings, backlogs := map[int64]parking.Setting{}, map[int64]parking.Backlog{}
	if version == 0 {
		options.StateSchema = "" // before setup nobody has said anything of a hook
	} else if settings, backlogs, err = readStore(ctx, pool, cfg.StateSchema); err != nil {
		return nil, nil, nil, err
	}
	hooks := dispatch.NewHooks(options)
	if err := loadHooks(ctx, pool, hooks, ""); err != nil {
		return nil, nil, nil, err
	}
	return hooks, settings, backlogs, nil
}

// readStore is what has been said of hooks, and what is stored for them, by hook.
func readStore(ctx context.Context, pool *pgxpool.Pool, schema string) (map[int64]parking.Setting, map[int64]parking.Backlog, error) {
	store := parking.New(parking.Options{Pool: pool, Schema: schema})
	settings, backlogs := make(map[int64]parking.Setting), make(map[int64]parking.Backlog)
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

func hooksOptions(cfg config.Config, log *slog.Logger) dispatch.HooksOptions {
	return dispatch.HooksOptions{
		Schema: cfg.SourceSchema, WebhookTable: cfg.WebhookTable, WebhookActionTable: cfg.WebhookActionTable,
		StateSchema: cfg.StateSchema, Deliver: dispatch.Deliver(cfg.Deliver),
		Actions: mapping.Profile(cfg.Profile).Actions(), Log: log,
	}
}

// loadHooks reads their tables as of one moment: the snapshot's, or now.
func loadHooks(ctx context.Context, pool *pgxpool.Pool, hooks *dispatch.Hooks, snapshot string) error {
	err := pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if snapshot != "" {
			if _, err := tx.Exec(ctx, "SET TRANSACTION SNAPSHOT '"+snapshot+"'"); err != nil { // takes no parameter; the name is the server's
				return fmt.Errorf("import snapshot: %w", err)
			}
		}
		return hooks.Load(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("read the hooks (the role needs SELECT on their tables): %w", err)
	}
	return nil
}

func projectOf(h *dispatch.Hook) string {
	if h.Project == 0 {
		return "all"
	}
	return strconv.FormatInt(h.Project, 10)
}

func actionsOf(h *dispatch.Hook) string {
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

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
