package send

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Limits of what is remembered of addresses.
const (
	failedFor  = 10 * time.Minute // after this time a failed address regains its place
	mostFailed = 4096
)

// addresses remembers which addresses failed, so that they are tried last. It is safe
// for concurrent use.
type addresses struct {
	mu     sync.Mutex
	failed map[netip.AddrPort]time.Time // time of the last failure; guarded by mu
}

// order moves addresses that failed to the end, the latest failure last. Address families
// alternate, as in RFC 8305, section 4.
func (a *addresses) order(list []netip.AddrPort, now time.Time) []netip.AddrPort {
	list = alternate(list)
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.failed) == 0 {
		return list
	}
	slices.SortStableFunc(list, func(x, y netip.AddrPort) int {
		return cmp.Compare(a.failure(x, now), a.failure(y, now))
	})
	return list
}

// failure returns when the address failed, in ns; 0: not recently. The caller holds the
// lock.
func (a *addresses) failure(addr netip.AddrPort, now time.Time) int64 {
	at, known := a.failed[addr]
	if !known || now.Sub(at) >= failedFor {
		return 0
	}
	return at.UnixNano()
}

// fail records a failure of the address.
func (a *addresses) fail(addr netip.AddrPort, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failed == nil {
		a.failed = make(map[netip.AddrPort]time.Time)
	}
	for other := range a.failed {
		if len(a.failed) < mostFailed {
			break
		}
		delete(a.failed, other)
	}
	a.failed[addr] = now
}

// succeed drops the failure of the address.
func (a *addresses) succeed(addr netip.AddrPort) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.failed, addr)
}

// alternate returns the addresses with alternating families, beginning with the first
// one's.
func alternate(list []netip.AddrPort) []netip.AddrPort {
	var families [2][]netip.AddrPort
	for _, addr := range list {
		family := 0
		if addr.Addr().Is4() != list[0].Addr().Is4() {
			family = 1
		}
		families[family] = append(families[family], addr)
	}
	out := make([]netip.AddrPort, 0, len(list))
	for i := range list {
		for _, family := range families {
			if i < len(family) {
				out = append(out, family[i])
			}
		}
	}
	return out
}

// addrPortOf returns the remote address of a connection; invalid if it is not TCP.
func addrPortOf(conn net.Conn) netip.AddrPort {
	tcp, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	addr := tcp.AddrPort()
	return netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
}
