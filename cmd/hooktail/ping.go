package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/dispatch"
	"github.com/hooktail/hooktail/dispatch/parking"
	"github.com/hooktail/hooktail/mapping"
)

func (a *app) pingCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ping ID",
		Short: "Send a test event to a hook, and show the exchange",
		Long: "ping sends one request as hooktail sends every other: to the hook's URL, with its headers, signed if it has a\n" +
			"secret. Its body is that of a hook without payload, with an action that Label Studio does not have.",
		Args: oneHook(),
		RunE: a.controls(func(ctx context.Context, c *control, args []string) error { return c.ping(ctx, args) }),
	}
}

// pingBody is what a receiver of Label Studio's webhooks knows as the form of a
// request without payload; it tells actions apart by their names.
const pingBody = `{"action": "PING"}`

func (c *control) ping(ctx context.Context, args []string) error {
	hook, setting, err := c.settingOf(ctx, args)
	if err != nil {
		return err
	}
	if hook.Refused != dispatch.ReasonNone {
		return fmt.Errorf("hook %d: nothing can be sent to it: %s", hook.ID, hook.Fault)
	}
	c.signing.update([]parking.Setting{setting})
	if _, err := c.signing.of(hook.ID); err != nil {
		return err
	}
	s := &sidecar{cfg: c.cfg, log: c.log}
	sender, err := s.sender(c.signing.of)
	if err != nil {
		return err
	}
	defer sender.Close()
	e := pingWith(ctx, sender, hook)
	fmt.Fprintf(c.out, "POST %s\n", hook.URL.Whole())
	for _, name := range e.Headers {
		fmt.Fprintf(c.out, "%s: ***\n", name)
	}
	fmt.Fprintf(c.out, "\n%s\n\n", pingBody)
	if e.Status == 0 {
		fmt.Fprintf(c.out, "%s after %s: %v\n", e.Result, e.Took.Round(time.Millisecond), e.Err)
		return fmt.Errorf("hook %d did not answer: %w", hook.ID, e.Err)
	}
	fmt.Fprintf(c.out, "%d (%s) after %s\n", e.Status, e.Result, e.Took.Round(time.Millisecond))
	if e.Redirect != "" {
		fmt.Fprintf(c.out, "It leads to %s. No redirect is followed: correct the hook's URL.\n", e.Redirect)
	}
	if len(e.Answer) > 0 {
		fmt.Fprintf(c.out, "%q\n", e.Answer)
	}
	if e.Result != dispatch.Result2xx {
		return fmt.Errorf("hook %d did not accept the ping: status %d", hook.ID, e.Status)
	}
	return nil
}

func pingWith(ctx context.Context, sender *dispatch.Sender, hook *dispatch.Hook) dispatch.Exchange {
	return sender.Exchange(ctx, hook, dispatch.Message{
		ID: "ping-" + rand.Text(), LSN: "0/0", Committed: time.Now().UTC().Format(time.RFC3339Nano), Attempt: 1, Body: mapping.BodyOf([]byte(pingBody)),
	})
}
