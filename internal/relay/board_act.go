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

// exchange sends a hook one request: a ping, or that of an attempt or of an event of the log
// again, with the same event id: the receiver may ignore it as a duplicate. Stored deliveries
// do not change, but a hook that answers a ping retries them.
func (b *board) exchange(ctx context.Context, s *shown, hook *hook.Hook, a status.Action) (done status.Done, err error) {
	if hook.IsRefused() {
		return done, &status.Problem{Why: fmt.Sprintf("hooktail cannot send to hook %d: %s", hook.ID, hook.Fault)}
	}
	if a.Do != status.Resend {
		e := Ping(ctx, s.sender, hook)
		if e.Result == send.Result2xx {
			err = s.parked.Store.Retry(ctx, hook.ID)
		}
		return exchanged(hook, &e), err
	}
	m, kept := s.dispatcher.Sent(hook.ID, a.Seq)
	if a.Position != 0 {
		m, err = b.replayed(ctx, hook, a.Position)
	} else if !kept {
		err = &status.Problem{Why: "this payload is no longer kept"}
	}
	if err != nil {
		return done, err
	}
	e := s.sender.Exchange(ctx, hook, m)
	return exchanged(hook, &e), nil
}

// exchanged returns an exchange for the page.
func exchanged(hook *hook.Hook, e *send.Exchange) status.Done {
	x := &status.Exchange{
		URL: hook.URL.Whole(), Headers: []string{}, Body: string(e.Body), Status: e.Status, Result: e.Result.String(),
		Took: e.Took.Seconds(), Answer: string(e.Answer), Redirect: e.Redirect,
	}
	for _, h := range e.Headers {
		x.Headers = append(x.Headers, h.Name)
	}
	message := fmt.Sprintf("hook %d answered %d after %s", hook.ID, e.Status, display.Span(e.Took))
	if e.Redirect != "" {
		message += ": redirects are not followed; this one leads to " + e.Redirect
	}
	if e.Err != nil {
		x.Error = e.Err.Error()
		message = fmt.Sprintf("hook %d did not answer: %s", hook.ID, e.Err)
	}
	return status.Done{Message: message, Exchange: x}
}

// change redrives or discards.
func (b *board) change(ctx context.Context, a status.Action) (done status.Done, err error) {
	f := state.Filter{Hook: a.Hook, Action: mapping.Action(a.Action), State: state.State(a.State), Reason: a.Reason, Task: a.Task, Since: a.Since, Until: a.Until}
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
