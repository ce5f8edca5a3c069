package dispatch

import (
	"math"
	"time"

	"github.com/hooktail/hooktail/dispatch/send"
)

// Policy says what follows a failed attempt. The zero value of a field means its
// default.
type Policy struct {
	Base        time.Duration // of the back-off: 1 s
	Cap         time.Duration // of the back-off and of Retry-After: 1 h
	RetryFor    time.Duration // since the delivery was taken on: 72 h
	MaxAttempts int           // 0: no limit; 1: nothing is retried, as the webhooks guide has it
}

func (p Policy) withDefaults() Policy {
	if p.Base == 0 {
		p.Base = time.Second
	}
	if p.Cap == 0 {
		p.Cap = time.Hour
	}
	if p.RetryFor == 0 {
		p.RetryFor = 72 * time.Hour
	}
	return p
}

// patient is the policy without an end, and with attempts at least that often:
// for an outage of the own network, of which the hooks can do nothing.
func (p Policy) patient() Policy {
	p.MaxAttempts, p.RetryFor, p.Cap = 0, math.MaxInt64, min(p.Cap, 30*time.Second)
	return p
}

// statusGone is the answer of a receiver that wants no more (RFC 9110 15.5.11).
const statusGone = 410

// rejections is how often an event is tried that the receiver will not have.
const rejections = 5

// quick is how many retries come within less than Base.
const quick = 2

// step is what follows an attempt.
type step uint8

const (
	deliver  step = iota // it is delivered
	postpone             // it is tried again
	bury                 // it is dead
	drop                 // nobody wants it any more
	forgo                // a person has removed it from the store
)

// verdict is a step with what belongs to it.
type verdict struct {
	step   step
	delay  time.Duration // of the retry
	hold   time.Duration // how long the receiver will have nothing at all from the hook; 0: no wish
	stop   bool          // the hook is to send nothing until its row changes
	reason Reason        // of death
	spared bool          // the own network is gone: the attempt does not count
	doubt  bool          // it may be gone: the retry is for the decision whether the delivery is dead
}

// verdict decides what follows the outcome of the attempt (from 1) at a delivery
// of that age. jitter is a random number in [0, 1).
func (p Policy) verdict(o send.Outcome, attempt int, age time.Duration, jitter float64) verdict {
	switch {
	case o.Result == send.Result2xx:
		return verdict{step: deliver}
	case o.Result == send.ResultBlocked:
		return verdict{step: bury, reason: ReasonBlocked}
	case o.Status == statusGone:
		return verdict{step: bury, reason: ReasonGone, stop: true}
	case attempt >= rejections && isRejection(o.Status):
		return verdict{step: bury, reason: ReasonRejected}
	}
	hold := min(o.RetryAfter, p.Cap)
	if p.MaxAttempts > 0 && attempt >= p.MaxAttempts || age >= p.RetryFor {
		return verdict{step: bury, reason: ReasonExhausted, hold: hold}
	}
	delay := hold
	if delay == 0 {
		delay = p.backoff(attempt, jitter)
	}
	return verdict{step: postpone, delay: min(delay, p.RetryFor-age), hold: hold}
}

// isRejection reports whether the answer speaks of the event, not of the hook.
func isRejection(status int) bool {
	switch status {
	case 400, 413, 414, 415, 422: // bad request, too large, URI too long, unsupported type, unprocessable
		return true
	default:
		return false
	}
}

// backoff is the time until the next attempt: anything up to ceiling ("full
// jitter"), so that what failed together does not come back together.
func (p Policy) backoff(attempt int, jitter float64) time.Duration {
	return time.Duration(jitter * float64(p.ceiling(attempt)))
}

// ceiling is a quarter and half of Base for the quick retries, then Base,
// doubled each time up to Cap.
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
