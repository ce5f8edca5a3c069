package main

import (
	"context"
	"errors"
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
			return c.each(ctx, args, "resumed", func(ctx context.Context, hook int64) error {
				return resume(ctx, c.store, hook, int64(c.cfg.ParkMaxBytes))
			})
		}),
	}
}

func (a *app) retryCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "retry ID…",
		Short: "Try what these hooks wait for now, whatever the back-off or Retry-After says",
		Args:  some("the ids of hooks", 0),
		RunE: a.controls(func(ctx context.Context, c *control, args []string) error {
			return c.each(ctx, args, "is tried at once", c.store.Retry)
		}),
	}
}

// fullError says that a hook stays suspended: its next event would suspend it again.
type fullError struct{ hook, parked, bound int64 }

func (e *fullError) Error() string {
	return fmt.Sprintf("stays suspended: %d bytes are parked for it, and HOOKTAIL_PARK_MAX_BYTES is %d. "+
		"What is parked goes on being sent: resume the hook when less is left, raise the variable, or discard some (hooktail deliveries discard --state parked --hook %d)", e.parked, e.bound, e.hook)
}

// resume ends the hook's pause, and its suspension unless as much is parked for it as may
// be, which is a *fullError.
func resume(ctx context.Context, store *parking.Store, hook, bound int64) error {
	suspended, err := store.IsSuspended(ctx, hook)
	if err != nil {
		return err
	}
	if !suspended {
		return store.Resume(ctx, hook)
	}
	parked, err := store.Bytes(ctx, hook)
	if err != nil {
		return err
	}
	if parked < bound {
		return store.Resume(ctx, hook)
	}
	if err := store.Unpause(ctx, hook); err != nil {
		return err
	}
	return &fullError{hook, parked, bound}
}

// each does the same with all hooks that are named.
func (c *control) each(ctx context.Context, args []string, done string, do func(ctx context.Context, hook int64) error) error {
	hooks, err := c.find(args)
	if err != nil {
		return err
	}
	var full []error
	for _, hook := range hooks {
		err := do(ctx, hook.ID)
		if _, ok := errors.AsType[*fullError](err); ok {
			full = append(full, fmt.Errorf("hook %d %w", hook.ID, err))
			continue
		}
		if err != nil {
			return fmt.Errorf("hook %d: %w", hook.ID, err)
		}
		fmt.Fprintf(c.out, "hook %d %s\n", hook.ID, done)
	}
	return errors.Join(full...)
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
