package dispatch

import (
	"sync/atomic"
	"time"

	"github.com/hooktail/hooktail/dispatch/hook"
)

// gate is what keeps a hook from getting anything, besides its failures. The lane's mu
// guards it, but what is atomic.
type gate struct {
	stopped atomic.Uint64 // revision of the hook that the receiver answered with 410
	refused atomic.Bool   // the last attempt was not made

	row    *hook.Hook // as the lane was told; nil: there is no such hook
	off    time.Time  // since when the row is known to be switched off; zero: it is not
	hold   hold
	pace   pace
	halted bool // nothing starts any more: the process is to end
	paused bool // by a person, or halted
}

// tell lets the gate know of the hook's row, nil if there is none.
func (g *gate) tell(row *hook.Hook, now time.Time) {
	g.row = row
	g.pace.tell(row, now)
	switch {
	case !g.isOff():
		g.off = time.Time{}
	case g.off.IsZero():
		g.off = now
	}
}

// isOff reports whether the hook is switched off in its row: what it has is held.
func (g *gate) isOff() bool { return g.row != nil && !g.row.IsOn() }

// isShut reports whether the hook is to get nothing for a while, as far as known.
func (g *gate) isShut(now time.Time) bool {
	return g.paused || now.Before(g.hold.until) || g.isOff()
}

// isFinal reports whether nothing can be sent to the hook, which is there, before its row
// changes.
func (g *gate) isFinal() bool {
	return !g.paused && !g.isOff() && (g.row.IsRefused() || g.stopped.Load() == g.row.Revision())
}

// state is how it stands with the hook.
func (g *gate) state(now time.Time, suspended, failing bool) State {
	switch {
	case g.row == nil:
		return StateInactive
	case stateOf(g.row) != StateLive:
		return stateOf(g.row)
	case g.refused.Load():
		return StateRefused
	case suspended:
		return StateSuspended
	case g.paused:
		return StatePaused
	case g.stopped.Load() == g.row.Revision():
		return StateStopped
	case now.Before(g.hold.until):
		return StateWaiting
	case failing:
		return StateFailing
	default:
		return StateLive
	}
}
