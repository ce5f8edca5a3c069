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
	"github.com/hooktail/hooktail/mapping"
)

// A person is waiting: the command ends if a receiver does not recover soon.
const (
	BackfillAttempts = 5
	backfillBackoff  = 250 * time.Millisecond // doubles with each attempt
	backfillPatience = time.Minute            // total time of retries
)

// Progress is called for each finished row, or message.
type Progress interface {
	Step(id int64, now time.Time)
	End()
}

// recipient is the hook that gets events, as it is in the database.
type recipient struct {
	*wiring.Parked
	Events   int // delivered; in a dry run, to be delivered
	Passed   int // rows without an event for the hook, or events that the hook does not want any more
	Filtered int // events that the hook's filter leaves out

	config   config.Config
	id       int64
	sender   *send.Sender
	every    time.Duration // pause between requests
	pace     *rate.Limiter // keeps requests apart, by the hook's own rate if that is lower
	dryRun   bool          // nothing is sent
	wants    func() error  // makes sure that the hook, as just read, gets the events
	progress Progress

	hook    *hook.Hook // as last read
	renewed time.Time  // when it was read
}

// renewEvery is how old the hook's row may be that requests are made by.
const renewEvery = time.Second

// newRecipient makes a recipient that the caller completes with wants, progress and renew. The caller
// closes it.
func newRecipient(parked *wiring.Parked, cfg config.Config, version string, id int64, every time.Duration) (*recipient, error) {
	sender, err := wiring.NewSender(cfg, version, parked.Signing.KeysOf)
	if err != nil {
		return nil, err
	}
	return &recipient{Parked: parked, config: cfg, id: id, sender: sender, every: every, pace: rate.NewLimiter(rate.Every(every), 1)}, nil
}

// Close closes the connections to the receiver.
func (r *recipient) Close() { r.sender.Close() }

// refresh calls renew if the hook was read some time ago: one that was paused or deactivated
// meanwhile gets no more events.
func (r *recipient) refresh(ctx context.Context) error {
	if r.dryRun || time.Since(r.renewed) <= renewEvery {
		return nil
	}
	return r.renew(ctx)
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
	hooks := hook.NewSet(wiring.HooksOptions(r.config, slog.New(slog.DiscardHandler)))
	if err := wiring.LoadHooks(ctx, r.Pool, hooks, ""); err != nil {
		return err
	}
	current, ok := hooks.Hook(r.id)
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

// deliver sends the hook the event, unless its filter leaves that out. of names in errors what the
// event was made of.
func (r *recipient) deliver(ctx context.Context, of string, e *mapping.Event, target hook.Target, request func() send.Message) error {
	if len(hook.Sift(e, []hook.Target{target}, passing{})) == 0 {
		r.Filtered++
		return nil
	}
	if !r.dryRun {
		if err := r.send(ctx, of, request()); err != nil {
			return err
		}
	}
	r.Events++
	return nil
}

// send makes attempts until one succeeds. An attempt that has begun is finished even if
// the command is interrupted, since the receiver may have got it.
func (r *recipient) send(ctx context.Context, of string, m send.Message) error {
	for {
		if err := r.pace.Wait(ctx); err != nil {
			return err
		}
		if err := r.refresh(ctx); err != nil { // the wait may have been long
			return err
		}
		m.Attempt++
		o := r.sender.Send(context.WithoutCancel(ctx), r.hook, m)
		if !o.Unsigned && o.Result == send.Result2xx {
			return nil
		}
		// Another attempt would end like this one, or it was the last.
		if o.Unsigned || o.Result == send.ResultBlocked || o.Status == http.StatusGone || m.Attempt == BackfillAttempts {
			why := fmt.Sprintf("the receiver answered %d", o.Status)
			if o.Err != nil {
				why = o.Err.Error()
			}
			return fmt.Errorf("%s (event %s) was not delivered to hook %d in %s: %s", of, m.ID, r.id, display.Count(m.Attempt, "attempt"), why)
		}
		delay := max(backfillBackoff<<(m.Attempt-1), min(o.RetryAfter, backfillPatience))
		if err := retry.Sleep(ctx, delay); err != nil {
			return err
		}
	}
}

// passing ignores what filters do: an event whose filter fails is sent.
type passing struct{}

// LeftOut is for hook.Sifted.
func (passing) LeftOut(hook.Target) {}

// Failed is for hook.Sifted.
func (passing) Failed(hook.Target, error) {}
