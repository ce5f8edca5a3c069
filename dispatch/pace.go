package dispatch

import (
	"time"

	"golang.org/x/time/rate"

	"github.com/hooktail/hooktail/dispatch/hook"
)

// pace limits a hook's requests to its configured rate: a bucket with the tokens of one
// second, but at least one. The zero pace is no limit. The lane's mu guards it.
type pace struct {
	limit  hook.Rate
	tokens *rate.Limiter // nil: no limit
}

// tell sets the pace to that of the hook's row. If the pace does not change, its tokens
// remain.
func (p *pace) tell(row *hook.Hook, now time.Time) {
	limit := hook.Rate{}
	if row != nil {
		limit = row.Limit()
	}
	switch {
	case limit == p.limit:
		return
	case limit.Requests == 0:
		p.tokens = nil
	case p.tokens == nil:
		p.tokens = rate.NewLimiter(rate.Limit(limit.PerSecond()), burstOf(limit))
	default:
		p.tokens.SetLimitAt(now, rate.Limit(limit.PerSecond()))
		p.tokens.SetBurstAt(now, burstOf(limit))
	}
	p.limit = limit
}

func burstOf(limit hook.Rate) int { return max(1, int(limit.PerSecond())) }

// next returns when the next request may be made: now, or later.
func (p *pace) next(now time.Time) time.Time {
	if p.tokens == nil {
		return now
	}
	missing := 1 - p.tokens.TokensAt(now)
	if missing <= 0 {
		return now
	}
	return now.Add(time.Duration(missing/p.limit.PerSecond()*float64(time.Second)) + time.Microsecond) // avoids being early because of rounding
}

func (p *pace) spend(now time.Time) {
	if p.tokens != nil {
		p.tokens.AllowN(now, 1)
	}
}

// isPaced needs mu. It reports whether the next request must wait for the hook's pace,
// and sets the alarm.
func (t turn) isPaced() bool {
	l, now := t.lane, t.now
	at := l.gate.pace.next(now)
	if !at.After(now) || l.gate.row == nil || l.gate.isOff() || l.gate.paused || l.gate.isFinal() {
		return false
	}
	l.alarm.set(at)
	return true
}
