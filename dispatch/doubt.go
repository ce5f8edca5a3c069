package dispatch

import (
	"time"

	"github.com/hooktail/hooktail/dispatch/hook"
	"github.com/hooktail/hooktail/dispatch/send"
)

// Attempts fail before an outage of the own network can be told from receivers that are
// down. A delivery that they would make dead waits until the network has decided.

// doubt is the verdict on a failed attempt while it is not known whether the own network
// is gone. It needs mu.
func (l *lane) doubt(it *item, o send.Outcome, v verdict, now time.Time) verdict {
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

// absolve lets the attempts not count that were in doubt, if the own network has turned
// out to have been gone. It needs mu.
func (l *lane) absolve(it *item) (absolved bool) {
	t := it.trial
	if t == nil || t.signs == 0 {
		return false
	}
	if absolved = l.network.wasGone(t.signed); absolved {
		t.spared += t.signs
	}
	t.signs = 0
	return absolved
}

// absolved reports whether the item that was doubted is to be attempted again.
func (a attempt) absolved() bool {
	a.lane.mu.Lock()
	defer a.lane.mu.Unlock()
	return a.lane.absolve(a.it)
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

// doubted hands out the item that has waited for longest to be decided on, if it is time.
func (t turn) doubted() *item {
	l, now := t.lane, t.now
	var first *item
	for _, it := range l.window.waiting {
		if it.doubted && (first == nil || it.at.Before(first.at)) {
			first = it
		}
	}
	switch {
	case first == nil:
	case first.at.After(now):
		l.alarm.set(first.at)
		first = nil
	default:
		l.window.take(first)
	}
	return first
}
