package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/relay"
	"github.com/hooktail/hooktail/internal/status"
)

func (a *app) pauseCommand() *cobra.Command {
	return a.eachHookCommand("pause", "Park the events of hooks until they are resumed",
		func(ctx context.Context, c *control, h *hook.Hook) (string, error) {
			return "paused: its events are parked", c.Store.Pause(ctx, h.ID)
		})
}

func (a *app) resumeCommand() *cobra.Command {
	return a.eachHookCommand("resume", "End the pause or suspension of hooks and send their parked events",
		func(ctx context.Context, c *control, h *hook.Hook) (string, error) {
			return "resumed", relay.Resume(ctx, c.Store, h.ID, int64(c.cfg.ParkMaxBytes))
		})
}

func (a *app) retryCommand() *cobra.Command {
	return a.eachHookCommand("retry", "Attempt waiting deliveries now, despite back-off and Retry-After",
		func(ctx context.Context, c *control, h *hook.Hook) (string, error) {
			return relay.Retry(ctx, c.Store, h)
		})
}

// eachHookCommand runs do for each hook. do returns what has been done, in words.
func (a *app) eachHookCommand(name, short string, do func(ctx context.Context, c *control, h *hook.Hook) (done string, err error)) *cobra.Command {
	return &cobra.Command{
		Use:   name + " ID…",
		Short: short,
		RunE: a.controls(func(ctx context.Context, c *control, args []string) error {
			hooks, err := c.find(args)
			if err != nil {
				return err
			}
			var full []error
			for _, hook := range hooks {
				done, err := do(ctx, c, hook)
				if is[*relay.FullError](err) {
					full = append(full, fmt.Errorf("hook %d %w", hook.ID, err))
					continue
				}
				if err != nil {
					return fmt.Errorf("hook %d: %w", hook.ID, err)
				}
				fmt.Fprintf(c.out, "hook %d %s\n", hook.ID, done)
			}
			return errors.Join(full...)
		}),
	}
}

func (a *app) showHookCommand() *cobra.Command {
	return withJSON("print a JSON object: a hook as in status --json, and its settings", &cobra.Command{
		Use:   "show ID",
		Short: "Show a hook, its settings and its stored deliveries",
		RunE:  a.onHook(showHook),
	})
}

// hookFacts is the state of a hook in the database.
type hookFacts struct {
	status.Hook
	Created      time.Time `json:"created_at,omitzero"`
	Served       bool      `json:"served"`
	Secret       string    `json:"secret"` // whether requests are signed, in words
	Suspended    time.Time `json:"suspended_at,omitzero"`
	SuspendedLSN string    `json:"suspended_lsn,omitempty"` // position of the first missing event

	Now *status.Hook `json:"now,omitempty"` // as the running hooktail sees it; nil: none leads on this machine
}

func showHook(ctx context.Context, c *control, hook *hook.Hook) error {
	setting, err := c.settingOf(ctx, hook.ID)
	if err != nil {
		return err
	}
	backlogs, err := c.Store.Backlogs(ctx)
	if err != nil {
		return err
	}
	var backlog state.Backlog
	if i := slices.IndexFunc(backlogs, func(b state.Backlog) bool { return b.Hook == hook.ID }); i >= 0 {
		backlog = backlogs[i]
	}
	h := hookFacts{
		Hook: relay.StoredHook(hook, setting, backlog), Created: hook.CreatedAt, Served: hook.Served(), Secret: c.secretOf(setting),
		Suspended: setting.Suspended,
	}
	if !h.Suspended.IsZero() {
		h.SuspendedLSN = setting.SuspendedLSN
	}
	report, now := c.liveHook(ctx, h.ID)
	h.Now = now
	facts := [][2]string{
		{"hook", display.ID(h.ID)},
		{"organization", display.ID(h.Organization)},
		{"project", projectOf(hook)},
		{"url", display.Text(hook.URL.Whole())},
		{"headers", display.Text(hook.Headers.String())},
		{"payload", yesNo(h.Payload)},
		{"actions", actionsOf(hook)},
		{"created", display.Time(h.Created)},
		{"state", h.About},
		{"served", yesNo(h.Served)},
		{"secret", h.Secret},
		{"parked", volumeOf(backlog.Parked)},
		{"dead", volumeOf(backlog.Dead)},
	}
	if hook.Choice != nil {
		facts = append(facts, choiceFacts(hook.Choice.Choice)...)
		for _, fault := range hook.Choice.Faults {
			facts = append(facts, [2]string{"ignored", display.Printable(fault)})
		}
	}
	if now != nil {
		text := now.State
		if note := noteOn(now, report); note != "" {
			text += ": " + note
		}
		facts = append(facts, [2]string{"now", text})
	}
	if !h.Suspended.IsZero() {
		facts = append(facts, [2]string{"suspended", fmt.Sprintf("since %s, from %s on", display.Time(h.Suspended), h.SuspendedLSN)})
	}
	return printAnswer(c.cmd, h, func() error { return printFacts(c.out, facts) })
}

func (c *control) secretOf(setting state.Setting) string {
	if len(setting.Secrets) > 0 && !c.Signing.Keyed {
		return "yes (HOOKTAIL_SECRET_KEY is not set here)"
	}
	if h := c.Signing.Open(setting); h.Err != nil {
		return h.Err.Error()
	}
	return [...]string{"no", "yes", "yes, and the previous one"}[len(setting.Secrets)]
}

func volumeOf(v state.Volume) string {
	if v.Rows == 0 {
		return "0"
	}
	return fmt.Sprintf("%d, %s, the oldest of %s", v.Rows, display.Size(v.Room()), display.Time(v.Oldest))
}
