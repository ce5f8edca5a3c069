package dispatch

import (
	"time"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
)

// Attempts fail before an outage of our own network can be distinguished from receivers
// that are down. A delivery that would become dead waits for the decision.

// doubt needs mu. It returns the verdict on a failed attempt while it is unknown whether
// our own network is down.
func (a attempt) doubt(o send.Outcome, v verdict, now time.Time) verdict {
	l, d := a.lane, a.delivery
	until, open := l.network.isOpen(o.Host, now)
	if !open || !haveHosts(l.o.Hooks.All(), fewestHosts) {
		return v
	}
	d.trial.signs++
	d.trial.signed = now
	if v.step == bury && v.reason == ReasonExhausted {
		return verdict{step: postpone, delay: until.Sub(now), hold: v.hold, doubt: true}
	}
	return v
}

// absolve needs mu. If our own network turns out to have been down, it stops counting the
// attempts in doubt.
func (a attempt) absolve() (absolved bool) {
	t := a.delivery.trial
	if t == nil || t.signs == 0 {
		return false
	}
	if absolved = a.network.wasGone(t.signed); absolved {
		t.spared += t.signs
	}
	t.signs = 0
	return absolved
}

// absolved reports whether the doubted delivery is to be attempted again.
func (a attempt) absolved() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.absolve()
}

// haveHosts reports whether the served hooks have at least n hosts. With fewer, the state
// of our own network cannot be determined.
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
