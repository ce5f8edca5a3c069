package relay

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/dispatch/state"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/postgres"
	"github.com/hooktail/hooktail/internal/status"
	"github.com/hooktail/hooktail/internal/wiring"
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
		run, what := p.Store.Discard, "discarded"
		if a.Do == status.Redrive {
			run, what = p.Store.Redrive, "redriven"
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

// adopt takes a hook over, under the conditions of `hooktail hooks adopt`.
func (b *board) adopt(ctx context.Context, s *shown, hook *hook.Hook) (status.Done, error) {
	overlap := s.remembered()
	why := ""
	switch {
	case b.cfg.Deliver == config.DeliverActive:
		why = "HOOKTAIL_DELIVER=active: adopted hooks would not be served"
	case hook.Adopted && !hook.Active:
		why = fmt.Sprintf("hook %d is already adopted", hook.ID)
	case !hook.Active:
		why = fmt.Sprintf("hook %d is inactive in Label Studio: activate it first", hook.ID)
	case hook.IsRefused():
		why = fmt.Sprintf("hooktail cannot send to hook %d: %s", hook.ID, hook.Fault)
	case overlap != nil && !overlap.Whole:
		why = "hooktail started too recently to remember events that Label Studio has not sent yet: wait a moment and try again"
	}
	if why != "" {
		return status.Done{}, &status.Problem{Why: why}
	}
	err := handed(s.parked.Store.Adopt(ctx, wiring.Webhooks(b.cfg), []int64{hook.ID}))
	return status.Done{Message: fmt.Sprintf("hook %d is adopted: hooktail sends to it now, Label Studio no longer does", hook.ID)}, err
}

// release gives an adopted hook back.
func (b *board) release(ctx context.Context, s *shown, hook *hook.Hook) (status.Done, error) {
	if !hook.Adopted {
		return status.Done{}, &status.Problem{Why: fmt.Sprintf("hook %d is not adopted", hook.ID)}
	}
	err := handed(s.parked.Store.Release(ctx, wiring.Webhooks(b.cfg), []int64{hook.ID}))
	return status.Done{Message: fmt.Sprintf("hook %d is released: it is active in Label Studio again", hook.ID)}, err
}

// handed returns the error for the person who asked, with the remedy.
func handed(err error) error {
	if is[*state.LockedError](err) || postgres.Code(err) == postgres.InsufficientPrivilege {
		return &status.Problem{Why: err.Error()}
	}
	return err
}

// remembered describes the events that are kept for hooks that may be adopted; nil: none are.
func (s *shown) remembered() *status.Overlap {
	if s.overlap == nil {
		return nil
	}
	now := time.Now()
	return &status.Overlap{
		Seconds: s.cfg.AdoptOverlap.Seconds(),
		Whole:   now.Sub(s.began) >= s.cfg.AdoptOverlap && s.overlap.Whole(now),
	}
}

// PingBody has the form of a request without payload, which receivers of Label Studio's
// webhooks know. They distinguish actions by their names.
const PingBody = `{"action": "` + ping + `"}`

const ping = "PING"

// Ping sends one request in the same way as an event, and returns the exchange.
func Ping(ctx context.Context, sender *send.Sender, hook *hook.Hook) send.Exchange {
	return sender.Exchange(ctx, hook, send.Message{
		ID: "ping-" + rand.Text(), LSN: "0/0", Committed: time.Now().UTC().Format(time.RFC3339Nano), Attempt: 1,
		Body: mapping.BodyOf([]byte(PingBody)), Action: ping,
	})
}

// FullError states that a hook remains suspended, because its next event would suspend it
// again.
type FullError struct{ hook, parked, bound int64 }

func (e *FullError) Error() string {
	return fmt.Sprintf("remains suspended: %s is parked for it, and HOOKTAIL_PARK_MAX_BYTES is %s. "+
		"Parked deliveries are still being sent: resume the hook when fewer are left, raise the variable, or discard some (hooktail deliveries discard --state parked --hook %d)", display.Size(e.parked), display.Size(e.bound), e.hook)
}

// Retry requests immediate attempts for the hook. done says when they are made: a hook that
// is paused or switched off makes none.
func Retry(ctx context.Context, store *state.Store, h *hook.Hook) (done string, err error) {
	paused, err := store.IsPaused(ctx, h.ID)
	if err == nil {
		err = store.Retry(ctx, h.ID)
	}
	switch {
	case err != nil:
		return "", err
	case !h.IsOn():
		return "is inactive: it retries its deliveries when it is switched on", nil
	case paused:
		return "is paused: it retries its deliveries when it is resumed", nil
	default:
		return "retries its deliveries now", nil
	}
}

// Resume ends the hook's pause. It also ends the hook's suspension, unless the parked
// deliveries still fill the bound; then it returns a *FullError.
func Resume(ctx context.Context, store *state.Store, hook, bound int64) error {
	suspended, err := store.IsSuspended(ctx, hook)
	var parked int64
	if err == nil && suspended {
		parked, err = store.Room(ctx, hook)
	}
	switch {
	case err != nil:
		return err
	case !suspended, parked < bound:
		return store.Resume(ctx, hook)
	}
	if err := store.Unpause(ctx, hook); err != nil {
		return err
	}
	return &FullError{hook, parked, bound}
}
