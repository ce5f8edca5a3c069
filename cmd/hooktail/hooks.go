package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/relay"
	"github.com/hooktail/hooktail/internal/status"
)

func (a *app) hooksCommand() *cobra.Command {
	return group("hooks", "List and manage hooks", a.listHooksCommand(), a.showHookCommand(), a.pingCommand(), a.retryCommand(), a.pauseCommand(), a.resumeCommand(),
		a.adoptCommand(), a.releaseCommand(), a.secretCommand(), a.setHookCommand(), a.testFilterCommand())
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
	var names []string
	for _, action := range h.Actions {
		names = append(names, actionText(string(action)))
	}
	return cmp.Or(strings.Join(names, ","), "none")
}

// actionText returns the action, in quotes if it contains invisible characters: a row can
// hold any text.
func actionText(text string) string {
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r == ',' || r == '"' || !unicode.IsGraphic(r) || unicode.IsSpace(r) }) {
		return strconv.Quote(text)
	}
	return text
}

func (a *app) listHooksCommand() *cobra.Command {
	return withJSON("print an array of hooks, as in status --json", &cobra.Command{
		Use:   "list",
		Short: "List hooks and their states, those that need attention first",
		Long: "list shows the state of each hook, as reported by the hooktail running on HOOKTAIL_HTTP_ADDR. If none runs there,\n" +
			"it shows the state in the database: whether the hook is active, adopted, paused, suspended or refused.",
		RunE: a.configured(func(cmd *cobra.Command, cfg config.Config) error {
			report, err := a.reportWithHooks(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			return printAnswer(cmd, report.Hooks, func() error { return listHooks(a.screen(), report) })
		}),
	})
}

// reportWithHooks returns the report of the running hooktail, with the hooks that have
// just been added to the database and that it has not read yet. If it is a standby, which
// has no hooks, reportWithHooks returns the report of the database.
func (a *app) reportWithHooks(ctx context.Context, cfg config.Config) (*status.Report, error) {
	report, err := a.reportOf(ctx, cfg)
	switch {
	case err != nil || !report.Running:
	case report.Stream != nil:
		report.Hooks = append(report.Hooks, newHooks(ctx, cfg, report.Hooks)...)
	default:
		fmt.Fprintf(a.stderr, "hooktail: the instance on %s is not the leader (%s); showing database state only\n", cfg.HTTPAddr, report.Role)
		report, err = reportOfDatabase(ctx, cfg)
	}
	return &report, err
}

// newHooks returns the hooks of the database that are not among the known ones; none if it
// does not answer soon.
func newHooks(ctx context.Context, cfg config.Config, known []status.Hook) []status.Hook {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	stored, err := reportOfDatabase(ctx, cfg)
	if err != nil {
		return nil
	}
	ids := make(map[int64]struct{}, len(known))
	for i := range known {
		ids[known[i].ID] = struct{}{}
	}
	return slices.DeleteFunc(stored.Hooks, func(h status.Hook) bool {
		_, isKnown := ids[h.ID]
		return isKnown
	})
}

// liveHook asks the hooktail that runs on this machine about a hook; nil if none leads
// there.
func (c *control) liveHook(ctx context.Context, id int64) (*status.Report, *status.Hook) {
	report, err := c.askRunning(ctx)
	i := slices.IndexFunc(report.Hooks, func(h status.Hook) bool { return h.ID == id })
	if err != nil || i < 0 {
		return nil, nil
	}
	return &report, &report.Hooks[i]
}

func listHooks(screen display.Screen, r *status.Report) error {
	for _, row := range r.Unreadable {
		if _, err := fmt.Fprintf(screen, "row %q of %s is ignored: %s\n", row.Key, row.Table, row.Fault); err != nil {
			return err
		}
	}
	if len(r.Hooks) == 0 {
		_, err := fmt.Fprintln(screen, "There are no hooks. Create one in Label Studio (Project → Settings → Webhooks).")
		return err
	}
	table := screen.Table("ID", "STATE", "PROJECT", "ACTIONS", "PARKED", "DEAD", "URL")
	for _, h := range byNeed(r.Hooks) {
		project := any("all")
		if h.Project != 0 {
			project = h.Project
		}
		table.Row(h.ID, stateCell(h), project, chosenActions(h), h.Parked, h.Dead, maskedURL(h.URL))
		table.Note(noteOn(h, r))
	}
	return table.Flush()
}

// chosenActions returns a short form; `hooks show` prints the names.
func chosenActions(h *status.Hook) string {
	switch {
	case h.AllActions:
		return "all"
	case len(h.Actions) == 0:
		return "none"
	case len(h.Actions) == 1:
		return h.Actions[0]
	default:
		return fmt.Sprintf("%d chosen", len(h.Actions))
	}
}

// byNeed sorts the hooks, those that need attention first.
func byNeed(hooks []status.Hook) []*status.Hook {
	sorted := make([]*status.Hook, len(hooks))
	for i := range hooks {
		sorted[i] = &hooks[i]
	}
	slices.SortFunc(sorted, status.ByNeed)
	return sorted
}

// stateCell returns the hook's state, live or as recorded in the database.
func stateCell(h *status.Hook) display.Cell {
	if h.State == relay.UnknownState {
		return display.Cell{Text: h.About, Tone: display.Plain}
	}
	tone := display.Doubtful
	switch need := h.Need(); {
	case need == status.NeedBroken:
		tone = display.Bad
	case need == status.NeedNothing:
		tone = display.Good
	case need > status.NeedNothing:
		tone = display.Faint
	}
	return display.Cell{Text: h.State, Tone: tone}
}

// noteOn explains why a hook needs attention, or returns "".
func noteOn(h *status.Hook, r *status.Report) string {
	if h.State == relay.UnknownState || h.Need() >= status.NeedNothing {
		return ""
	}
	about := h.About
	if e := h.Error; e != nil && (h.State != dispatch.StateLive.String() || h.Retrying > 0 || e.At.After(h.Last)) {
		about += "; last error " + display.Span(r.Time.Sub(e.At)) + " ago: " + failureText(e)
	}
	return about
}

func failureText(e *status.Failure) string {
	switch {
	case e.Redirect != "":
		return fmt.Sprintf("%d, redirects to %s: redirects are not followed", e.Status, display.Excerpt(e.Redirect, 80))
	case e.Status != 0:
		return strings.TrimSpace(fmt.Sprintf("%d %s", e.Status, display.Excerpt(e.Answer, 80)))
	case e.Error != "":
		return e.Error
	default:
		return display.Text(e.Reason)
	}
}
