package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/relay"
	"github.com/hooktail/hooktail/internal/wiring"
)

func (a *app) pingCommand() *cobra.Command {
	return withJSON("print the exchange as a JSON object", &cobra.Command{
		Use:   "ping ID",
		Short: "Send a test event to a hook and show the exchange",
		Long: "ping sends one request in the same way as an event: to the hook's URL, with its headers, signed if it has a\n" +
			"secret. The body is that of a hook without payload, with an action that Label Studio does not have. Values of headers\n" +
			"from the hook's row, and the signature, are shown as ***.\n\n" +
			"After a success, deliveries that wait for another attempt are tried immediately.",
		RunE: a.onHook(ping),
	})
}

func ping(ctx context.Context, c *control, hook *hook.Hook) error {
	setting, err := c.settingOf(ctx, hook.ID)
	if err != nil {
		return err
	}
	if hook.IsRefused() {
		return fmt.Errorf("hook %d: hooktail cannot send to it: %s", hook.ID, hook.Fault)
	}
	c.Signing.Update([]state.Setting{setting})
	if _, err := c.Signing.KeysOf(hook.ID); err != nil {
		return err
	}
	sender, err := wiring.NewSender(c.cfg, version(), c.Signing.KeysOf)
	if err != nil {
		return err
	}
	defer sender.Close()
	e := relay.Ping(ctx, sender, hook)
	x := exchange{
		Hook: hook.ID, URL: hook.URL.Whole(), Headers: e.Headers, Body: string(e.Body),
		Status: e.Status, Result: e.Result.String(), Took: e.Took.Seconds(), Answer: string(e.Answer), Redirect: e.Redirect,
	}
	if e.Err != nil {
		x.Error = e.Err.Error()
	}
	if err := printAnswer(c.cmd, x, func() error { return c.printExchange(x) }); err != nil {
		return err
	}
	switch {
	case e.Status == 0:
		return fmt.Errorf("hook %d did not answer: %w", hook.ID, e.Err)
	case e.Result != send.Result2xx:
		return fmt.Errorf("hook %d did not accept the ping: status %d", hook.ID, e.Status)
	default:
		return c.Store.Retry(ctx, hook.ID)
	}
}

// exchange is the output of ping.
type exchange struct {
	Hook     int64         `json:"hook"`
	URL      string        `json:"url"` // without credentials and query
	Headers  []send.Header `json:"headers"`
	Body     string        `json:"body"`
	Status   int           `json:"status,omitempty"` // 0: no answer
	Result   string        `json:"result"`
	Took     float64       `json:"took_seconds"`
	Answer   string        `json:"answer,omitempty"`
	Redirect string        `json:"redirect,omitempty"` // target of a redirect, which is not followed
	Error    string        `json:"error,omitempty"`
}

func (c *control) printExchange(x exchange) error {
	fmt.Fprintf(c.out, "POST %s\n", x.URL)
	for _, h := range x.Headers {
		fmt.Fprintf(c.out, "%s: %s\n", h.Name, display.Printable(h.Value))
	}
	fmt.Fprintf(c.out, "\n%s\n\n", x.Body)
	took := display.Seconds(x.Took)
	if x.Status == 0 {
		_, err := fmt.Fprintf(c.out, "%s after %s: %s\n", c.out.Paint(display.Bad, x.Result), took, x.Error)
		return err
	}
	tone := display.Bad
	if x.Result == send.Result2xx.String() {
		tone = display.Good
	}
	_, err := fmt.Fprintf(c.out, "%s after %s\n", c.out.Paint(tone, fmt.Sprintf("%d (%s)", x.Status, x.Result)), took)
	if x.Redirect != "" {
		_, err = fmt.Fprintf(c.out, "It redirects to %s. Redirects are not followed: correct the hook's URL.\n", display.Printable(x.Redirect))
	}
	if x.Answer != "" {
		_, err = fmt.Fprintf(c.out, "%q\n", x.Answer)
	}
	return err
}
