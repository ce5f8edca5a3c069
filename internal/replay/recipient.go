package replay

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/hooktail/hooktail/config"
	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/internal/display"
	"github.com/hooktail/hooktail/internal/retry"
	"github.com/hooktail/hooktail/internal/wiring"
)

// A person is waiting: the command ends if a receiver does not recover soon.
const (
	BackfillAttempts = 5
	backfillBackoff  = 250 * time.Millisecond // doubles with each attempt
	backfillPatience = time.Minute            // total time of retries
)

// recipient is the hook that gets events, as it is in the database.
type recipient struct {
	*wiring.Parked
	config config.Config
	id     int64
	sender *send.Sender
	every  time.Duration // pause between requests
	pace   *rate.Limiter // keeps requests apart, by the hook's own rate if that is lower
	wants  func() error  // makes sure that the hook, as just read, gets the events

	hooks   *hook.Set  // as last read
	hook    *hook.Hook // the hook among hooks
	renewed time.Time  // when they were read
}

// renewEvery is how old the hook's row may be that requests are made by.
const renewEvery = time.Second

// isOld reports whether to call renew before the next request: a hook that was paused or
// deactivated meanwhile gets no more events.
func (r *recipient) isOld() bool { return time.Since(r.renewed) > renewEvery }

// newRecipient makes a recipient that the caller completes with wants and renew. The caller
// closes its sender.
func newRecipient(parked *wiring.Parked, cfg config.Config, version string, id int64, every time.Duration) (*recipient, error) {
	sender, err := wiring.NewSender(cfg, version, parked.Signing.KeysOf)
	if err != nil {
		return nil, err
	}
	return &recipient{Parked: parked, config: cfg, id: id, sender: sender, every: every, pace: rate.NewLimiter(rate.Every(every), 1)}, nil
}

// renew reads the hook and its settings again, and makes sure that it can be sent to.
func (r *recipient) renew(ctx context.Context) error {
	r.renewed = time.Now()
	settings, err := r.Store.Settings(ctx)
	if err != nil {
		return err
	}
	r.Signing.Update(settings)
	for _, setting := range settings {
		if setting.Hook == r.id && (setting.Paused || !setting.Suspended.IsZero()) {
			return fmt.Errorf("hook %d is paused or suspended: resume it first (hooktail hooks resume %[1]d)", setting.Hook)
		}
	}
	r.hooks = hook.NewSet(wiring.HooksOptions(r.config, slog.New(slog.DiscardHandler)))
	if err := wiring.LoadHooks(ctx, r.Pool, r.hooks, ""); err != nil {
		return err
	}
	current, ok := r.hooks.Hook(r.id)
	if !ok {
		return fmt.Errorf("there is no hook %d: see `hooktail hooks list`", r.id)
	}
	if r.hook = current; r.hook.IsRefused() {
		return fmt.Errorf("hook %d: hooktail cannot send to it: %s", r.id, r.hook.Fault)
	}
	pace := rate.Every(r.every)
	if own := r.hook.Limit(); own.Requests > 0 {
		pace = min(pace, rate.Limit(own.PerSecond()))
	}
	r.pace.SetLimit(pace)
	return r.wants()
}

// send makes attempts until one succeeds. An attempt that has begun is finished even if
// the command is interrupted, since the receiver may have got it. of names in errors what
// the event was made of.
func (r *recipient) send(ctx context.Context, of string, m send.Message) error {
	for {
		if err := r.pace.Wait(ctx); err != nil {
			return err
		}
		if r.isOld() { // the wait was long
			if err := r.renew(ctx); err != nil {
				return err
			}
		}
		m.Attempt++
		o := r.sender.Send(context.WithoutCancel(ctx), r.hook, m)
		if !o.Unsigned && o.Result == send.Result2xx {
			return nil
		}
		if isFinal(o) || m.Attempt == BackfillAttempts {
			return fmt.Errorf("%s (event %s) was not delivered to hook %d in %s: %s",
				of, m.ID, r.id, display.Count(m.Attempt, "attempt"), describeOutcome(o))
		}
		delay := max(backfillBackoff<<(m.Attempt-1), min(o.RetryAfter, backfillPatience))
		if err := retry.Sleep(ctx, delay); err != nil {
			return err
		}
	}
}

// isFinal reports whether another attempt would end like this one.
func isFinal(o send.Outcome) bool {
	return o.Unsigned || o.Result == send.ResultBlocked || o.Status == http.StatusGone
}

func describeOutcome(o send.Outcome) string {
	if o.Err != nil {
		return o.Err.Error()
	}
	return fmt.Sprintf("the receiver answered %d", o.Status)
}

// passing ignores what filters do: an event whose filter fails is sent.
type passing struct{}

// LeftOut is for hook.Sifted.
func (passing) LeftOut(hook.Target) {}

// Failed is for hook.Sifted.
func (passing) Failed(hook.Target, error) {}
