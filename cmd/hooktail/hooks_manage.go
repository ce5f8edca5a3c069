package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/parking"
)

func (a *app) pauseCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "pause ID…",
		Short: "Send nothing to these hooks: park it, until they are resumed",
		Args:  some("the ids of hooks", 0),
		RunE: a.controls(func(ctx context.Context, c *control, args []string) error {
			return c.each(ctx, args, "paused: what it gets is parked", c.store.Pause)
		}),
	}
}

func (a *app) resumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "resume ID…",
		Short: "End the pause or the suspension of these hooks: they get what is parked, and what follows",
		Args:  some("the ids of hooks", 0),
		RunE: a.controls(func(ctx context.Context, c *control, args []string) error {
			return c.each(ctx, args, "resumed", c.store.Resume)
		}),
	}
}

// each does the same with all hooks that are named.
func (c *control) each(ctx context.Context, args []string, done string, do func(ctx context.Context, hook int64) error) error {
	hooks, err := c.find(args)
	if err != nil {
		return err
	}
	for _, hook := range hooks {
		if err := do(ctx, hook.ID); err != nil {
			return fmt.Errorf("hook %d: %w", hook.ID, err)
		}
		fmt.Fprintf(c.out, "hook %d %s\n", hook.ID, done)
	}
	return nil
}

func (a *app) showHookCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show a hook, what has been said of it, and what is stored for it",
		Args:  oneHook(),
		RunE:  a.controls(func(ctx context.Context, c *control, args []string) error { return c.showHook(ctx, args) }),
	}
}

func (c *control) showHook(ctx context.Context, args []string) error {
	hook, setting, err := c.settingOf(ctx, args)
	if err != nil {
		return err
	}
	backlogs, err := c.store.Backlogs(ctx)
	if err != nil {
		return err
	}
	var backlog parking.Backlog
	for _, b := range backlogs {
		if b.Hook == hook.ID {
			backlog = b
		}
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{
		{"hook", fmt.Sprint(hook.ID)},
		{"organization", fmt.Sprint(hook.Organization)},
		{"project", projectOf(hook)},
		{"url", hook.URL.Whole()},
		{"headers", dash(hook.Headers.String())},
		{"payload", yesNo(hook.SendPayload)},
		{"actions", actionsOf(hook)},
		{"created", stamp(hook.CreatedAt)},
		{"state", stateOf(hook, setting)},
		{"served", yesNo(hook.Served())},
		{"secret", c.secretOf(setting)},
		{"parked", volumeOf(backlog.Parked)},
		{"dead", volumeOf(backlog.Dead)},
	} {
		fmt.Fprintf(w, "%s:\t%s\n", line[0], line[1])
	}
	if !setting.Suspended.IsZero() {
		fmt.Fprintf(w, "suspended:\tsince %s, from %s on\n", stamp(setting.Suspended), setting.SuspendedLSN)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print hook: %w", err)
	}
	return nil
}

// secretOf says whether the hook's requests are signed.
func (c *control) secretOf(setting parking.Setting) string {
	if len(setting.Secrets) > 0 && !c.signing.keyed {
		return "yes (HOOKTAIL_SECRET_KEY is not set here)"
	}
	if h := c.signing.open(setting); h.err != nil {
		return h.err.Error()
	}
	return [...]string{"no", "yes", "yes, and the one before"}[len(setting.Secrets)]
}

func volumeOf(v parking.Volume) string {
	if v.Rows == 0 {
		return "0"
	}
	return fmt.Sprintf("%d, %d bytes, the oldest of %s", v.Rows, v.Bytes, stamp(v.Oldest))
}

// stateOf says whether the hook gets anything, and if not, why.
func stateOf(h *dispatch.Hook, s parking.Setting) string {
	state := "active"
	switch {
	case h.Refused != dispatch.ReasonNone:
		state = "refused: " + h.Fault
	case h.Adopted && h.Active:
		state = "adopted, active"
	case h.Adopted:
		state = "adopted"
	case !h.Active:
		state = "off"
	}
	if s.Paused {
		state += ", paused"
	}
	if !s.Suspended.IsZero() {
		state += ", suspended"
	}
	return state
}
