package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/dispatch/state"
)

func (a *app) secretCommand() *cobra.Command {
	return group("secret", "Manage the secret that signs a hook's requests (Standard Webhooks)", &cobra.Command{
		Use:   "set ID",
		Short: "Create the hook's secret and print it, this once",
		RunE:  a.onHook(func(ctx context.Context, c *control, h *hook.Hook) error { return c.renewSecret(ctx, h, false) }),
	}, &cobra.Command{
		Use:   "rotate ID",
		Short: "Create another secret, and sign with both until the next rotation",
		RunE:  a.onHook(func(ctx context.Context, c *control, h *hook.Hook) error { return c.renewSecret(ctx, h, true) }),
	}, &cobra.Command{
		Use:   "remove ID",
		Short: "Stop signing the hook's requests",
		RunE:  a.onHook(removeSecret),
	})
}

// renewSecret creates a secret and prints it to standard output, alone, so that it can be
// piped.
func (c *control) renewSecret(ctx context.Context, hook *hook.Hook, rotate bool) error {
	setting, err := c.settingOf(ctx, hook.ID)
	if err != nil {
		return err
	}
	switch {
	case !c.Signing.Keyed:
		return usageError{send.ErrNoSecretKey}
	case rotate && len(setting.Secrets) == 0:
		return fmt.Errorf("hook %d has no secret yet: hooktail hooks secret set %[1]d", hook.ID)
	case !rotate && len(setting.Secrets) > 0:
		return fmt.Errorf("hook %d already has a secret: rotate it (hooktail hooks secret rotate %[1]d) or remove it first", hook.ID)
	}
	current := c.Signing.Open(setting)
	if current.Err != nil {
		return fmt.Errorf("the current secret is unusable, remove it first: %w", current.Err)
	}
	next := send.NewSigningKey()
	var sealed [][]byte
	for _, key := range send.Rotate(current.Keys, next) {
		text, err := c.Signing.Ring.Seal(hook.ID, key)
		if err != nil {
			return err
		}
		sealed = append(sealed, text)
	}
	if err := c.Store.ReplaceSecrets(ctx, hook.ID, setting.Secrets, sealed); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(c.out, next.Reveal()); err != nil {
		return errors.Join(err, errors.New("the secret could not be printed: remove it and set a new one"))
	}
	fmt.Fprintf(c.err, "hooktail: give this secret to the receiver of hook %d; it is not shown again\n", hook.ID)
	return nil
}

func removeSecret(ctx context.Context, c *control, hook *hook.Hook) error {
	setting, err := c.settingOf(ctx, hook.ID)
	if err != nil {
		return err
	}
	if len(setting.Secrets) == 0 {
		fmt.Fprintf(c.out, "hook %d has no secret\n", hook.ID)
		return nil
	}
	if err := c.Store.SetSecrets(ctx, hook.ID, nil); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "hook %d: its requests are no longer signed\n", hook.ID)
	return nil
}

func (c *control) settingOf(ctx context.Context, hook int64) (state.Setting, error) {
	settings, err := c.Store.Settings(ctx)
	i := slices.IndexFunc(settings, func(s state.Setting) bool { return s.Hook == hook })
	if err != nil || i < 0 {
		return state.Setting{Hook: hook}, err
	}
	return settings[i], nil
}
