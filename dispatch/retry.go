package dispatch

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/hooktail/hooktail/dispatch/send"
)

// Policy decides what follows a failed attempt. Zero values stand for defaults.
type Policy struct {
	Base        time.Duration // of the back-off; default 1 s
	Cap         time.Duration // maximum of the back-off and of Retry-After; default 1 h
	RetryFor    time.Duration // since the delivery was accepted; default 72 h
	MaxAttempts int           // 0: no limit; 1: nothing is retried, as in the webhooks guide
}

func (p Policy) withDefaults() Policy {
	p.Base = cmp.Or(p.Base, time.Second)
	p.Cap = cmp.Or(p.Cap, time.Hour)
	p.RetryFor = cmp.Or(p.RetryFor, 72*time.Hour)
	return p
}

// patient returns the policy without an end, and with attempts at least that often: for
// an outage of our own network, for which the hooks are not responsible.
func (p Policy) patient() Policy {
	p.MaxAttempts, p.RetryFor, p.Cap = 0, math.MaxInt64, min(p.Cap, 30*time.Second)
	return p
}

// statusGone is the answer of a receiver that wants no more requests (RFC 9110 15.5.11).
const statusGone = 410

// rejections is the number of such answers to an event that the receiver does not accept.
// Attempts in an outage before it do not count.
const rejections = 5

// quick is the number of retries after less than Base.
const quick = 2

// step is what follows an attempt.
type step uint8

const (
	deliver  step = iota // it is delivered
	postpone             // it is retried
	bury                 // it is dead
	drop                 // no longer wanted
	forgo                // removed from the store by a person
)

// verdict is a step with its details.
type verdict struct {
	step   step
	delay  time.Duration // time until the retry
	hold   time.Duration // pause of the whole hook that the receiver has requested; 0: none
	stop   bool          // nothing is sent to the hook until its row changes
	reason Reason        // reason of death
	spared bool          // our own network is down: the attempt does not count
	doubt  bool          // it may be down: the retry is for the decision whether the delivery is dead
}

// ofEarlier returns the verdict on a failed attempt at the hook as it was before its row
// changed: what that receiver wants, and whether its address is allowed, does not concern
// the present one.
func (v verdict) ofEarlier() verdict {
	if v.reason == ReasonGone || v.reason == ReasonBlocked || v.step == postpone && v.hold > 0 {
		return verdict{step: postpone}
	}
	v.hold = 0
	return v
}

// verdict returns what follows the outcome of the attempt (from 1) at a delivery of that
// age, which was denied that often. jitter is a random number in [0, 1).
func (p Policy) verdict(o send.Outcome, attempt, denied int, age time.Duration, jitter float64) verdict {
	switch {
	case o.Result == send.Result2xx:
		return verdict{step: deliver}
	case o.Result == send.ResultBlocked:
		return verdict{step: bury, reason: ReasonBlocked}
	case o.Status == statusGone:
		return verdict{step: bury, reason: ReasonGone, stop: true}
	case denied >= rejections && isRejection(o.Status):
		return verdict{step: bury, reason: ReasonRejected}
	}
	hold := min(o.RetryAfter, p.Cap)
	if p.MaxAttempts > 0 && attempt >= p.MaxAttempts || age >= p.RetryFor {
		return verdict{step: bury, reason: ReasonExhausted, hold: hold}
	}
	delay := cmp.Or(hold, p.backoff(attempt, jitter))
	return verdict{step: postpone, delay: min(delay, p.RetryFor-age), hold: hold}
}

// isRejection reports whether the answer is about the event, not the hook.
func isRejection(status int) bool {
	return slices.Contains([]int{400, 413, 414, 415, 422}, status) // bad request, too large, URI too long, unsupported type, unprocessable
}

// backoff returns the time until the next attempt: a random time up to ceiling ("full
// jitter"), so that simultaneous failures are not retried simultaneously.
func (p Policy) backoff(attempt int, jitter float64) time.Duration {
	return time.Duration(jitter * float64(p.ceiling(attempt)))
}

// ceiling returns a quarter and half of Base for the quick retries, then Base, doubled
// each time up to Cap.
func (p Policy) ceiling(attempt int) time.Duration {
	if attempt <= quick {
		return p.Base >> (quick + 1 - attempt)
	}
	d := p.Base
	for range attempt - quick - 1 {
		if d >= p.Cap {
			break
		}
		d *= 2
	}
	return min(d, p.Cap)
}
