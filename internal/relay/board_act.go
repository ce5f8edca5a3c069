package relay

import (
	"context"
	"fmt"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/status"
	"github.com/hooktail/hooktail/mapping"
)

// pinged is a ping as the page shows it.
func pinged(ctx context.Context, sender *send.Sender, hook *hook.Hook) (status.Done, error) {
	if hook.IsRefused() {
		return status.Done{}, &status.Problem{Why: fmt.Sprintf("nothing can be sent to hook %d: %s", hook.ID, hook.Fault)}
	}
	e := Ping(ctx, sender, hook)
	x := &status.Exchange{
		URL: hook.URL.Whole(), Headers: []string{}, Body: PingBody, Status: e.Status, Result: e.Result.String(),
		Took: e.Took.Seconds(), Answer: string(e.Answer), Redirect: e.Redirect,
	}
	for _, h := range e.Headers {
		x.Headers = append(x.Headers, h.Name)
	}
	message := fmt.Sprintf("hook %d answered %d after %s", hook.ID, e.Status, display.Span(e.Took))
	if e.Redirect != "" {
		message += ": no redirect is followed, and it leads to " + e.Redirect
	}
	if e.Err != nil {
		x.Error = e.Err.Error()
		message = fmt.Sprintf("hook %d did not answer: %s", hook.ID, e.Err)
	}
	return status.Done{Message: message, Exchange: x}, nil
}

// change redrives or discards.
func (b *board) change(ctx context.Context, a status.Action) (done status.Done, err error) {
	f := state.Filter{Hook: a.Hook, Action: mapping.Action(a.Action), State: state.State(a.State), Reason: a.Reason}
	if f.State == "" {
		f.State = state.Dead
	}
	if a.Event != "" {
		if f.Event, err = state.ParseID(a.Event); err != nil {
			return done, &status.Problem{Why: err.Error()}
		}
	}
	err = b.ask(ctx, func(p *parkingRoom) error {
		what := map[string]string{status.Redrive: "redriven", status.Discard: "discarded"}[a.Do]
		run := p.Store.Discard
		if a.Do == status.Redrive {
			run = p.Store.Redrive
		}
		if a.DryRun {
			what = "would be " + what
		}
		n, err := run(ctx, f, a.DryRun)
		done = status.Done{Message: display.Count(n, "delivery") + " " + what, Count: n}
		return err
	})
	return done, err
}
