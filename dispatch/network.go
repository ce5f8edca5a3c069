package dispatch

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hooktail/hooktail/dispatch/send"
)

// The bounds of an outage of our own network.
const (
	fewestHosts = 3                // at different addresses, that nobody reaches
	excuseFor   = 15 * time.Minute // longest outage; a host unreachable for longer is no sign of one
	mostHosts   = 4096             // remembered

	decideWithin = 5 * time.Second // after a host's first failure: whether there is an outage
)

// network tells an outage of our own network from receivers that are down. There is an
// outage when at least three hosts at different addresses are not reached, or the
// resolver does not answer, and no receiver at all has been reached since. During an
// outage neither attempts nor time count against deliveries.
//
// An outage ends when any receiver is reached, and after 15 minutes at the latest; the
// next one cannot begin before a receiver has been reached. It is safe for concurrent
// use.
type network struct {
	trouble atomic.Bool // some host is not reached; false on the fast path

	mu      sync.Mutex
	failing map[string]time.Time  // hosts by their first failure since they were last reached; guarded by mu
	signs   map[string]netip.Addr // hosts that failed since any receiver was reached, with the address; guarded by mu
	since   time.Time             // begin of the outage; zero: there is none; guarded by mu
	spent   bool                  // an outage has ended by its length, and nobody was reached since; guarded by mu
	back    time.Time             // when a receiver was last reached while some host was not; guarded by mu
	before  span                  // the last outage that has ended, from its first sign on; guarded by mu
	sum     time.Duration         // of the outages that have ended; guarded by mu
}

// observe takes an attempt's outcome into account and reports whether the attempt is
// excused: it failed in an outage, or by a fault of our own machine.
func (n *network) observe(_ int64, o send.Outcome, now time.Time) bool {
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
		if o.Result == send.ResultTimeout { // a connection of ours may have gone with the network
			n.first(o.Host, now)
		}
	}
	return !n.since.IsZero()
}

// reached ends the outage. It needs the lock.
func (n *network) reached(host string, now time.Time) {
	if !n.since.IsZero() {
		n.sum += now.Sub(n.since)
		n.before = span{n.back, now}
	}
	n.since, n.spent, n.back = time.Time{}, false, now
	delete(n.failing, host)
	clear(n.signs)
	n.trouble.Store(len(n.failing) > 0)
}

// missed takes a host that was not reached into account. It needs the lock.
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

// first is when the host failed first since it was last reached: now, if it had not. It
// needs the lock.
func (n *network) first(host string, now time.Time) time.Time {
	n.trouble.Store(true)
	if n.failing == nil {
		n.failing, n.signs = make(map[string]time.Time), make(map[string]netip.Addr)
	}
	first, known := n.failing[host]
	if !known {
		first = now
		n.remember(host, now)
	}
	return first
}

// remember notes a host's first failure, in bounded space. It needs the lock.
func (n *network) remember(host string, now time.Time) {
	for other := range n.failing {
		if len(n.failing) < mostHosts {
			break
		}
		delete(n.failing, other)
		delete(n.signs, other)
	}
	n.failing[host] = now
}

// places is how many hosts at different addresses were not reached; a host whose
// address is not known is a place of its own. It needs the lock.
func (n *network) places() int {
	count := 0
	seen := make(map[netip.Addr]struct{}, len(n.signs))
	for _, addr := range n.signs {
		if _, twice := seen[addr]; twice && addr.IsValid() {
			continue
		}
		seen[addr] = struct{}{}
		count++
	}
	return count
}

// expire ends an outage that has lasted too long. It needs the lock.
func (n *network) expire(now time.Time) {
	if !n.since.IsZero() && now.Sub(n.since) >= excuseFor {
		n.before = span{n.back, n.since.Add(excuseFor)}
		n.since, n.spent = time.Time{}, true
		n.sum += excuseFor
	}
}

// lost is the length of all outages up to now.
func (n *network) lost(now time.Time) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.expire(now)
	if n.since.IsZero() {
		return n.sum
	}
	return n.sum + now.Sub(n.since)
}

// span is a time from its begin, which is not in it, to its end.
type span struct{ from, to time.Time }

func (s span) has(at time.Time) bool { return at.After(s.from) && !at.After(s.to) }

// isOpen reports whether the host's failure that was observed just now may turn out to
// belong to an outage, and until when that is decided.
func (n *network) isOpen(host string, now time.Time) (until time.Time, open bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	first, fails := n.failing[host]
	until = first.Add(decideWithin)
	return until, fails && n.since.IsZero() && !n.spent && now.Before(until)
}

// wasGone reports whether a failure at that time, when no receiver was reached, belongs
// to an outage, also if the outage was recognised later.
func (n *network) wasGone(at time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.since.IsZero() {
		return at.After(n.back)
	}
	return n.before.has(at)
}
