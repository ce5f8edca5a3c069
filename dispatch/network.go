package dispatch

import (
	"sync"
	"sync/atomic"
	"time"
)

// network notices that it is the own network that is gone, and not the receivers:
// no hook's attempt reaches anybody, of two hooks at least. One hook alone tells
// nothing: its receiver may be switched off. Attempts do not count against the
// hooks meanwhile, nor does the time. It is safe for concurrent use.
type network struct {
	trouble atomic.Bool // failed is not empty; for the way that all goes well

	mu     sync.Mutex
	failed map[int64]struct{} // hooks, since anybody answered
	gone   time.Time          // since when; zero: it is there
	sum    time.Duration      // of the outages that are over
}

// fewestHooks have to reach nobody.
const fewestHooks = 2

// observe takes an attempt's outcome into account and reports whether the network
// is gone.
func (n *network) observe(hook int64, o Outcome, now time.Time) bool {
	if o.Status != 0 && !n.trouble.Load() {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch o.Result {
	case ResultRefused, ResultDNS:
	case ResultTimeout, ResultBlocked:
		return !n.gone.IsZero() // says nothing of the way there
	default:
		if !n.gone.IsZero() {
			n.sum += now.Sub(n.gone)
		}
		n.gone = time.Time{}
		clear(n.failed)
		n.trouble.Store(false)
		return false
	}
	if n.failed == nil {
		n.failed = make(map[int64]struct{})
	}
	n.failed[hook] = struct{}{}
	n.trouble.Store(true)
	if n.gone.IsZero() && len(n.failed) >= fewestHooks {
		n.gone = now
	}
	return !n.gone.IsZero()
}

// lost is for how long the network has been gone, all in all.
func (n *network) lost(now time.Time) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.gone.IsZero() {
		return n.sum
	}
	return n.sum + now.Sub(n.gone)
}
