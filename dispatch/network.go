package dispatch

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hooktail/hooktail/dispatch/send"
)

// Limits of an outage of our own network.
const (
	fewestHosts = 3                // unreachable hosts at different addresses
	excuseFor   = 15 * time.Minute // longest outage; a host unreachable for longer is no sign of one
	mostHosts   = 4096             // remembered

	decideWithin = 5 * time.Second // after a host's first failure: time to recognize an outage
)

// network distinguishes an outage of our own network from receivers that are down. There
// is an outage when at least three hosts at different addresses are unreachable, or the
// resolver does not answer, and no receiver has been reached since. During an outage
// neither attempts nor time count against deliveries.
//
// An outage ends when any receiver is reached, and after 15 minutes at the latest; the
// next one cannot begin before a receiver has been reached. It is safe for concurrent
// use.
type network struct {
	trouble atomic.Bool // some host is unreachable; false on the fast path

	mu      sync.Mutex
	failing map[string]time.Time         // first failure of each host since it was last reached; guarded by mu
	signs   map[string]netip.Addr        // hosts that failed since any receiver was reached, with their addresses; guarded by mu
	since   time.Time                    // beginning of the outage; zero: none; guarded by mu
	spent   bool                         // an outage has reached its longest duration, and no receiver was reached since; guarded by mu
	back    time.Time                    // when a receiver was last reached while some host was unreachable; guarded by mu
	before  struct{ from, to time.Time } // the last outage: after its first sign, up to its end; guarded by mu
	sum     time.Duration                // total duration of past outages; guarded by mu
}

// observe records an attempt's outcome and reports whether the attempt is excused: it
// failed during an outage, or because of a fault of this machine.
func (n *network) observe(o send.Outcome, now time.Time) bool {
	contact := o.Contact
	if o.Status != 0 {
		contact = send.ContactMade
	}
	if contact == send.ContactMade && !n.trouble.Load() {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.expire(now)
	switch contact {
	case send.ContactMade:
		n.reached(o.Host, now)
		return false
	case send.ContactOwnFault:
		return true
	case send.ContactNone, send.ContactNoResolver:
		n.missed(o, now)
	case send.ContactUnknown:
		if o.Result == send.ResultTimeout { // our connection may have failed with the network
			n.first(o.Host, now)
		}
	}
	return !n.since.IsZero()
}

// reached ends the outage. The caller holds the lock.
func (n *network) reached(host string, now time.Time) {
	if !n.since.IsZero() {
		n.sum += now.Sub(n.since)
		n.before.from, n.before.to = n.back, now
	}
	n.since, n.spent, n.back = time.Time{}, false, now
	delete(n.failing, host)
	clear(n.signs)
	n.trouble.Store(len(n.failing) > 0)
}

// missed records an unreachable host. The caller holds the lock.
func (n *network) missed(o send.Outcome, now time.Time) {
	if now.Sub(n.first(o.Host, now)) >= excuseFor {
		delete(n.signs, o.Host)
		return
	}
	n.signs[o.Host] = o.Addr
	if n.since.IsZero() && !n.spent && (o.Contact == send.ContactNoResolver || n.places() >= fewestHosts) {
		n.since = now
	}
}

// first returns the host's first failure since it was last reached, or now, which it
// remembers in bounded space. The caller holds the lock.
func (n *network) first(host string, now time.Time) time.Time {
	n.trouble.Store(true)
	if n.failing == nil {
		n.failing, n.signs = make(map[string]time.Time), make(map[string]netip.Addr)
	}
	if first, known := n.failing[host]; known {
		return first
	}
	for other := range n.failing {
		if len(n.failing) < mostHosts {
			break
		}
		delete(n.failing, other)
		delete(n.signs, other)
	}
	n.failing[host] = now
	return now
}

// places returns the number of unreachable hosts at different addresses; a host with an
// unknown address counts separately. The caller holds the lock.
func (n *network) places() int {
	unknown, seen := 0, make(map[netip.Addr]struct{}, len(n.signs))
	for _, addr := range n.signs {
		if addr.IsValid() {
			seen[addr] = struct{}{}
		} else {
			unknown++
		}
	}
	return unknown + len(seen)
}

// expire ends an outage after its longest duration. The caller holds the lock.
func (n *network) expire(now time.Time) {
	if !n.since.IsZero() && now.Sub(n.since) >= excuseFor {
		n.before.from, n.before.to = n.back, n.since.Add(excuseFor)
		n.since, n.spent = time.Time{}, true
		n.sum += excuseFor
	}
}

func (n *network) lost(now time.Time) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.expire(now)
	if n.since.IsZero() {
		return n.sum
	}
	return n.sum + now.Sub(n.since)
}

// isOpen reports whether a failure of the host observed now may turn out to belong to an
// outage, and when that is decided.
func (n *network) isOpen(host string, now time.Time) (until time.Time, open bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	first, fails := n.failing[host]
	until = first.Add(decideWithin)
	return until, fails && n.since.IsZero() && !n.spent && now.Before(until)
}

// wasGone reports whether a failure at that time belongs to an outage, even if the outage
// was recognized later.
func (n *network) wasGone(at time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.since.IsZero() {
		return at.After(n.back)
	}
	return at.After(n.before.from) && !at.After(n.before.to)
}
