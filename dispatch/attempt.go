package dispatch

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/hooktail/hooktail/dispatch/send"
	"github.com/hooktail/hooktail/mapping"
)

// work attempts the delivery, and then others that may go.
func (l *lane) work(ctx context.Context, d *delivery) {
	for d != nil {
		a := attempt{l, d}
		e := a.make(ctx)
		if e.step != deliver && ctx.Err() != nil {
			return // closed: the attempt was interrupted and has no result
		}
		d = a.settle(&e)
	}
}

// attempt is an attempt of a lane at a delivery that it has handed out.
type attempt struct {
	*lane
	delivery *delivery
}

// ending is the result of an attempt.
type ending struct {
	send.Outcome
	verdict
	made bool // false: there is no Outcome
	at   time.Time
}

// unmade returns the ending of a delivery without an attempt.
func unmade(v verdict) ending { return ending{verdict: v, at: time.Now()} }

// make makes the attempt unless there is no longer a hook for it.
func (a attempt) make(ctx context.Context) ending {
	l, d := a.lane, a.delivery
	hook, ok := l.o.Hooks.Hook(l.hook)
	switch {
	case !ok:
		return unmade(verdict{step: drop})
	case d.fate != ReasonNone:
		return unmade(verdict{step: bury, reason: d.fate})
	case !hook.IsOn(): // deactivated just now
		return unmade(verdict{step: postpone})
	case hook.IsRefused():
		return unmade(verdict{step: bury, reason: reasonOf(hook.Refused)})
	case l.gate.stopped.Load() == hook.Revision():
		return unmade(verdict{step: bury, reason: ReasonGone})
	case d.doubted && !a.absolved():
		return unmade(verdict{step: bury, reason: ReasonExhausted})
	}
	if d.shared == nil && d.body == nil {
		if v := a.fetch(ctx); v.step != deliver {
			return unmade(v)
		}
	}
	message := d.message()
	o := l.o.Sender.Send(ctx, hook, message)
	if l.gate.refused.Store(o.Unsigned); o.Unsigned {
		e := unmade(verdict{step: bury, reason: ReasonBadSecret})
		e.Err = o.Err
		return e
	}
	if o.Result != send.Result2xx && !l.o.Permit() {
		return unmade(verdict{step: postpone}) // perhaps nothing was sent
	}
	now := time.Now()
	e := ending{o, a.judge(o, now), true, now}
	if e.step != deliver && ctx.Err() != nil {
		return e
	}
	if present, ok := l.o.Hooks.Hook(l.hook); ok && e.step != deliver && present.Revision() != hook.Revision() {
		e.verdict = e.ofEarlier()
	}
	l.journal.report(ctx, d, &e)
	l.journal.addEntry(hook, d, &e, message.Body)
	if e.stop {
		l.gate.stopped.Store(hook.Revision())
	}
	return e
}

// judge returns the verdict on an attempt. During an outage of our own network, neither
// attempts nor time count against the delivery.
func (a attempt) judge(o send.Outcome, now time.Time) verdict {
	l, d := a.lane, a.delivery
	spared := l.network.observe(o, now)
	if o.Result == send.Result2xx {
		return verdict{step: deliver}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	a.absolve()
	d.fails(o, spared)
	strikes, jitter := max(1, d.strikes()), rand.Float64()
	if spared {
		v := l.o.Retry.patient().verdict(o, strikes, 0, 0, jitter)
		v.spared = true
		return v
	}
	if !l.health.failing {
		strikes = d.strikes() + 1
	}
	left := l.left(d, now)
	v := l.o.Retry.verdict(o, d.counted(), d.trial.denied, l.o.Retry.RetryFor-left, jitter)
	if v.step == postpone && v.hold == 0 {
		v.delay = min(l.o.Retry.backoff(strikes, jitter), left)
	}
	return a.doubt(o, v, now)
}

// fetchRows is the number of bodies read together: for one delivery, and for those whose
// turn comes soon.
const fetchRows = 64

// fetch reads the delivery's body from the store. The verdict is to deliver it, or what
// happens instead.
func (a attempt) fetch(ctx context.Context) verdict {
	l, d := a.lane, a.delivery
	deliveries := a.soon()
	events := make([]mapping.ID, len(deliveries))
	for i := range deliveries {
		events[i] = deliveries[i].event
	}
	reading, cancel := context.WithTimeout(ctx, storePatience)
	bodies, err := l.store.store.Bodies(reading, l.hook, events)
	cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, other := range deliveries {
		other.sought = false
		if other == d || other.state == ready {
			other.body = bodies[other.event]
		}
	}
	if err != nil {
		if ctx.Err() == nil {
			l.store.trouble.Failed(ctx, l.o.Log, slog.LevelError, "the store of parked deliveries did not answer; trying again", slog.Int64("hook", l.hook), slog.Any("error", err))
		}
		return verdict{step: postpone, delay: time.Second}
	}
	l.store.answered(ctx)
	switch {
	case d.body == nil:
		return verdict{step: forgo}
	case d.early:
		return verdict{step: postpone} // what it had passed is no longer held
	}
	return verdict{step: deliver}
}

// soon returns the delivery, and others that may go and lack their bodies, as far as the
// bodies that the lane has read and not sent yet leave room.
func (a attempt) soon() []*delivery {
	l, d := a.lane, a.delivery
	l.mu.Lock()
	defer l.mu.Unlock()
	deliveries, bytes := []*delivery{d}, d.bytes
	if l.health.failing {
		return deliveries
	}
	for _, other := range l.window.ready() {
		if other.state != ready || other.shared != nil {
			continue
		}
		if bytes += other.bytes; bytes > l.windows.fetch() || len(deliveries) == fetchRows {
			break
		}
		if other.body != nil || other.sought {
			continue // by another attempt of the lane
		}
		other.sought = true
		deliveries = append(deliveries, other)
	}
	return deliveries
}
