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
func (l *lane) work(ctx context.Context, it *item) {
	for it != nil {
		a := attempt{l, it}
		e := a.make(ctx)
		if e.step != deliver && ctx.Err() != nil {
			return // closed: the attempt was interrupted and has no result
		}
		it = a.settle(&e)
	}
}

// attempt is an attempt of a lane at a delivery that it has handed out.
type attempt struct {
	*lane
	it *item
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
	l, it := a.lane, a.it
	hook, ok := l.hooks.Hook(l.hook)
	switch {
	case !ok:
		return unmade(verdict{step: drop})
	case it.fate != ReasonNone:
		return unmade(verdict{step: bury, reason: it.fate})
	case !hook.IsOn(): // deactivated just now
		return unmade(verdict{step: postpone})
	case hook.IsRefused():
		return unmade(verdict{step: bury, reason: reasonOf(hook.Refused)})
	case l.gate.stopped.Load() == hook.Revision():
		return unmade(verdict{step: bury, reason: ReasonGone})
	case it.doubted && !a.absolved():
		return unmade(verdict{step: bury, reason: ReasonExhausted})
	}
	if it.letter == nil && it.body == nil {
		if v := a.fetch(ctx); v.step != deliver {
			return unmade(v)
		}
	}
	message := it.message()
	o := l.sender.Send(ctx, hook, message)
	if l.gate.refused.Store(o.Unsigned); o.Unsigned {
		e := unmade(verdict{step: bury, reason: ReasonBadSecret})
		e.Err = o.Err
		return e
	}
	now := time.Now()
	e := ending{o, a.judge(o, now), true, now}
	if e.step != deliver && ctx.Err() != nil {
		return e
	}
	l.journal.report(ctx, it, &e)
	l.journal.note(hook, it, &e, message.Body)
	if e.stop {
		l.gate.stopped.Store(hook.Revision())
	}
	return e
}

// judge returns the verdict on an attempt. During an outage of our own network, neither
// attempts nor time count against the delivery.
func (a attempt) judge(o send.Outcome, now time.Time) verdict {
	l, it := a.lane, a.it
	spared := l.network.observe(l.hook, o, now)
	if o.Result == send.Result2xx {
		return verdict{step: deliver}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	a.absolve()
	it.fails(o, spared)
	strikes, jitter := max(1, it.strikes()), rand.Float64()
	if spared {
		v := l.policy.patient().verdict(o, strikes, 0, jitter)
		v.spared = true
		return v
	}
	if !l.health.failing {
		strikes = it.strikes() + 1
	}
	age := l.age(it, now)
	v := l.policy.verdict(o, it.counted(), age, jitter)
	if v.step == postpone && v.hold == 0 {
		v.delay = min(l.policy.backoff(strikes, jitter), l.policy.RetryFor-age)
	}
	return a.doubt(o, v, now)
}

// fetchRows is the number of bodies read together: for one delivery, and for those whose
// turn comes soon.
const fetchRows = 64

// fetch reads the item's body from the store. The verdict is to deliver it, or what
// happens instead.
func (a attempt) fetch(ctx context.Context) verdict {
	l, it := a.lane, a.it
	items := a.soon()
	events := make([]mapping.ID, len(items))
	for i := range items {
		events[i] = items[i].event
	}
	reading, cancel := context.WithTimeout(ctx, storePatience)
	bodies, err := l.store.store.Bodies(reading, l.hook, events)
	cancel()
	if err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, other := range items {
			other.sought = false
		}
		if ctx.Err() == nil {
			l.store.trouble.Failed(ctx, l.log, slog.LevelError, "the store of parked deliveries did not answer; trying again", slog.Int64("hook", l.hook), slog.Any("error", err))
		}
		return verdict{step: postpone, delay: time.Second}
	}
	l.store.answered(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, other := range items {
		other.sought = false
		if other == it || other.state == ready {
			other.body = bodies[other.event]
		}
	}
	switch {
	case it.body == nil:
		return verdict{step: forgo}
	case it.early:
		return verdict{step: postpone} // what it had passed is no longer held
	}
	return verdict{step: deliver}
}

// soon returns the item, and others that may go and lack their bodies, as far as the bodies
// that the lane has read and not sent yet leave room.
func (a attempt) soon() []*item {
	l, it := a.lane, a.it
	l.mu.Lock()
	defer l.mu.Unlock()
	items, bytes := []*item{it}, it.bytes
	if l.health.failing {
		return items
	}
	for _, other := range l.window.ready() {
		if other.state != ready || other.letter != nil {
			continue
		}
		if bytes += other.bytes; bytes > l.windows.fetch() || len(items) == fetchRows {
			break
		}
		if other.body != nil || other.sought {
			continue // by another attempt of the lane
		}
		other.sought = true
		items = append(items, other)
	}
	return items
}
