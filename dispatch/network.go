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
	}
	return !n.since.IsZero()
}

// reached ends the outage. It needs the lock.
func (n *network) reached(host string, now time.Time) {
	if !n.since.IsZero() {
		n.sum += now.Sub(n.since)
	}
	n.since, n.spent = time.Time{}, false
	delete(n.failing, host)
	clear(n.signs)
	n.trouble.Store(len(n.failing) > 0)
}

// missed takes a host that was not reached into account. It needs the lock.
func (n *network) missed(o send.Outcome, now time.Time) {
	if n.failing == nil {
		n.failing, n.signs = make(map[string]time.Time), make(map[string]netip.Addr)
	}
	first, known := n.failing[o.Host]
	if !known {
		first = now
		n.remember(o.Host, now)
	}
	n.trouble.Store(true)
	if now.Sub(first) >= excuseFor {
		delete(n.signs, o.Host)
		return
	}
	n.signs[o.Host] = o.Addr
	if n.since.IsZero() && !n.spent && (o.Contact == send.ContactNoResolver || n.places() >= fewestHosts) {
		n.since = now
	}
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
