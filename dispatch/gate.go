package dispatch

import (
	"sync/atomic"
	"time"

	"github.com/hooktail/hooktail/dispatch/hook"
)

// gate holds the conditions, other than failures, under which a hook gets nothing. The
// lane's mu guards it, except atomic fields.
type gate struct {
	stopped atomic.Uint64 // revision of the hook when the receiver answered 410
	refused atomic.Bool   // requests cannot be signed, according to the settings or the last attempt

	row     *hook.Hook // as last seen by the lane; nil: there is no such hook
	off     time.Time  // since when the row is known to be inactive; zero: it is active
	hold    hold
	pace    pace
	resumed time.Time // end of the last pause by a person, or later; zero: none
	halted  bool      // nothing starts: the process is ending
	paused  bool      // by a person, or halted
}

// tell updates the hook's row; nil: it was deleted.
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

// isOff reports whether the hook is inactive in its row: its deliveries are held.
func (g *gate) isOff() bool { return g.row != nil && !g.row.IsOn() }

// isShut reports whether the hook gets nothing for some time, as far as is known.
func (g *gate) isShut(now time.Time) bool {
	return g.paused || now.Before(g.hold.until) || g.isOff()
}

// isFinal reports whether nothing can be sent to an existing hook until its row changes.
func (g *gate) isFinal() bool {
	return !g.paused && !g.isOff() && (g.row.IsRefused() || g.stopped.Load() == g.row.Revision())
}

func (g *gate) state(now time.Time, suspended, failing bool) State {
	switch {
	case g.row == nil:
		return StateInactive
	case StateOf(g.row) != StateLive:
		return StateOf(g.row)
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
