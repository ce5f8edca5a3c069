package dispatch

import (
	"time"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
)

// Attempts fail before an outage of the own network can be told from receivers that are
// down. A delivery that they would make dead waits until the network has decided.

// doubt needs mu. It is the verdict on a failed attempt while it is not known whether the
// own network is gone.
func (a attempt) doubt(o send.Outcome, v verdict, now time.Time) verdict {
	l, it := a.lane, a.it
	until, open := l.network.isOpen(o.Host, now)
	if !open || !haveHosts(l.hooks.All(), fewestHosts) {
		return v
	}
	it.trial.signs++
	it.trial.signed = now
	if v.step == bury && v.reason == ReasonExhausted {
		return verdict{step: postpone, delay: until.Sub(now), hold: v.hold, doubt: true}
	}
	return v
}

// absolve needs mu. It lets the attempts not count that were in doubt, if the own network
// has turned out to have been gone.
func (a attempt) absolve() (absolved bool) {
	t := a.it.trial
	if t == nil || t.signs == 0 {
		return false
	}
	if absolved = a.network.wasGone(t.signed); absolved {
		t.spared += t.signs
	}
	t.signs = 0
	return absolved
}

// absolved reports whether the item that was doubted is to be attempted again.
func (a attempt) absolved() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.absolve()
}

// haveHosts reports whether the hooks that get anything have so many hosts. With fewer
// nothing can be said of the own network.
func haveHosts(hooks []*hook.Hook, n int) bool {
	seen := make(map[string]struct{}, n)
	for _, h := range hooks {
		if !h.IsOn() || h.IsRefused() {
			continue
		}
		if seen[h.URL.Host()] = struct{}{}; len(seen) >= n {
			return true
		}
	}
	return false
}
