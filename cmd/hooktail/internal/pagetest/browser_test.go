//go:build external

package pagetest

import (
	"context"
	"fmt"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/hooktail/hooktail/cmd/hooktail/internal/proctest"
)

// browser is a tab of a Chromium that a test has for itself.
type browser struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // chromedp's handle of the tab

	mu       sync.Mutex
	requests []string // URLs
	console  []string // warnings, errors and exceptions
}

// startBrowser starts Chromium with a new profile. It is ended with the test.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("this test needs chromium: %v", err)
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.UserDataDir(t.TempDir()),
	}
	for _, flag := range []string{"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync", "disable-dev-shm-usage"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(allocator)
	b := &browser{t: t, ctx: ctx}
	b.do(chromedp.Navigate("about:blank"))
	var watching sync.WaitGroup
	t.Cleanup(func() {
		end()
		watching.Wait()
	})
	sent, said := chromedp.Events(ctx, network.RequestWillBeSent), chromedp.Console(ctx)
	watching.Go(func() {
		for e, err := range sent {
			if err != nil {
				return
			}
			b.note(&b.requests, e.Request.URL)
		}
	})
	watching.Go(func() {
		for m, err := range said {
			if err != nil {
				return
			}
			if m.Type == chromedp.ConsoleWarning || m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleException {
				b.note(&b.console, fmt.Sprintf("%s: %s", m.Type, m.Text))
			}
		}
	})
	return b
}

func (b *browser) note(list *[]string, text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	*list = append(*list, text)
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// eval is the value of an expression, as text.
func (b *browser) eval(expression string) string {
	b.t.Helper()
	value, err := b.evaluate(expression)
	if err != nil {
		b.t.Fatal(err)
	}
	return value
}

// evaluate is eval with an error, for example while the page is being left.
func (b *browser) evaluate(expression string) (string, error) {
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		return "", fmt.Errorf("evaluate %s: %w", expression, err)
	}
	return value, nil
}

// run runs a statement in the page.
func (b *browser) run(statement string) { b.eval("(() => {" + statement + "})()") }

// wait repeats the expression until its text holds what is wanted.
func (b *browser) wait(expression, want string) {
	b.t.Helper()
	proctest.WaitFor(b.t, func() error {
		got, err := b.evaluate(expression)
		if err == nil && !strings.Contains(got, want) {
			err = fmt.Errorf("%s is %.500q, want %q in it", expression, got, want)
		}
		return err
	})
}

// waitText waits until the element that the selector finds shows the text.
func (b *browser) waitText(selector, want string) {
	b.t.Helper()
	b.wait(fmt.Sprintf("document.querySelector(%q)?.innerText", selector), want)
}

// click clicks what the selector finds, once it is there.
func (b *browser) click(selector string) {
	b.t.Helper()
	b.wait(fmt.Sprintf("(document.querySelector(%q)?.checkVisibility() && !document.querySelector(%[1]q).disabled)", selector), "true")
	b.run(fmt.Sprintf("document.querySelector(%q).click()", selector))
}

// logIn submits the token in the form that "#login" opens.
func (b *browser) logIn(token string) {
	b.t.Helper()
	b.run(fmt.Sprintf(`const f = document.querySelector("#login-form"); f.elements.token.value = %q; f.requestSubmit()`, token))
}

// press presses a key: Tab, Shift+Tab or Enter.
func (b *browser) press(key string) {
	b.t.Helper()
	switch key {
	case "Tab":
		b.do(chromedp.KeyEvent(kb.Tab))
	case "Shift+Tab":
		b.do(chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift)))
	default:
		b.do(chromedp.KeyEvent(kb.Enter))
	}
}

// block has requests that match the pattern fail.
func (b *browser) block(pattern string) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, network.SetBlockedURLs, network.SetBlockedURLsParams{
			URLPatterns: []*network.BlockPattern{{URLPattern: pattern, Block: true}},
		})
		return err
	}))
}

// size makes the window that large, for a phone or a desk.
func (b *browser) size(width, height int64) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, height))
}

// scheme is what prefers-color-scheme says.
func (b *browser) scheme(name string) {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
		})
		return err
	}))
}

// asked is how many requests were made for the path.
func (b *browser) asked(path string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.requests {
		if u, err := url.Parse(text); err == nil && u.Path == path {
			n++
		}
	}
	return n
}

// askedOnly asserts that no request went to anybody but the host.
func (b *browser) askedOnly(host string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.requests) == 0 {
		b.t.Error("no request was seen")
	}
	for _, text := range b.requests {
		if strings.HasPrefix(text, "data:") {
			continue // of Chromium's own style, such as the icon of a field for times: nobody is asked
		}
		if u, err := url.Parse(text); err != nil || u.Host != host {
			b.t.Errorf("a request went to %s", text)
		}
	}
}

// said is what the console has shown so far, and forgets it.
func (b *browser) said() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	said := b.console
	b.console = nil
	return said
}
