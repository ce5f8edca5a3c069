package send

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// The bounds of what is remembered of addresses.
const (
	failedFor  = 10 * time.Minute // until an address that failed has its place again
	mostFailed = 4096
)

// addresses remembers which addresses failed, so that they are tried last. It is safe
// for concurrent use.
type addresses struct {
	mu     sync.Mutex
	failed map[netip.AddrPort]time.Time // when they last failed; guarded by mu
}

// order puts addresses that failed behind the others, the latest failure last. The
// families take turns, as in RFC 8305, section 4.
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

// failure is when the address failed, in ns; 0: not lately. It needs the lock.
func (a *addresses) failure(addr netip.AddrPort, now time.Time) int64 {
	at, known := a.failed[addr]
	if !known || now.Sub(at) >= failedFor {
		return 0
	}
	return at.UnixNano()
}

// fail notes that the address failed.
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

// succeed forgets that the address failed.
func (a *addresses) succeed(addr netip.AddrPort) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.failed, addr)
}

// alternate is the addresses with the families in turn, the first one's first.
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

// addrPortOf is the other end of a connection; invalid if it is not TCP's.
func addrPortOf(conn net.Conn) netip.AddrPort {
	tcp, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	addr := tcp.AddrPort()
	return netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
}
