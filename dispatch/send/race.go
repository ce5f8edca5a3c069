package send

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"
)

// The delays between connection attempts to one address and the next (RFC 8305, section
// 5).
const (
	shortestDelay = 10 * time.Millisecond
	longestDelay  = 250 * time.Millisecond
)

// mostRunning is the number of addresses that are tried at a time. Whoever sets a hook's URL
// may choose how many addresses its name has.
const mostRunning = 16

// race connects to the addresses of one host: to the first, after a short delay or a
// failure also to the next, and so on. The first connection wins. All addresses have been
// started by the middle of the available time, unless too many of them do not answer: these
// are last at the next race.
type race struct {
	dial   func(context.Context, netip.AddrPort) (net.Conn, error)
	known  *addresses
	budget time.Duration // from the beginning to the deadline of the context

	addrs   []netip.AddrPort // known so far
	queue   []netip.AddrPort // those not started yet
	due     bool             // the delay has passed, but no address could start
	running map[netip.AddrPort]time.Time
	first   error // the most informative error
	at      netip.AddrPort
}

// finish is the result for one address.
type finish struct {
	addr netip.AddrPort
	conn net.Conn
	err  error
}

// run connects to the addresses from the channel, and waits for its goroutines. It
// returns the winner's connection; otherwise an error of one address, as a *dialError, or
// nil for both if the channel had no address.
func (r *race) run(ctx context.Context, more <-chan []netip.AddrPort) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	results := make(chan finish)
	r.running = make(map[netip.AddrPort]time.Time)
	defer func() {
		cancel()
		go func() { wg.Wait(); close(results) }()
		for late := range results {
			if late.conn != nil {
				late.conn.Close()
			}
		}
	}()
	next := time.NewTimer(0)
	defer next.Stop()
	for more != nil || len(r.queue) > 0 || len(r.running) > 0 {
		select {
		case addrs, ok := <-more:
			if !ok {
				more = nil
			}
			if r.learn(addrs) {
				next.Reset(0)
			}
		case <-next.C:
			if addr, ok := r.start(time.Now()); ok {
				wg.Go(func() {
					conn, err := r.dial(ctx, addr)
					results <- finish{addr, conn, err}
				})
				next.Reset(r.delay())
			}
		case f := <-results:
			begun := r.running[f.addr]
			delete(r.running, f.addr)
			if f.err == nil {
				r.won(f.addr, begun)
				return f.conn, nil
			}
			r.lost(f.addr, f.err)
			next.Reset(0)
		case <-ctx.Done():
			return nil, r.ended(ctx.Err())
		}
	}
	return nil, r.fault()
}

// learn adds addresses, and reports whether one may start now.
func (r *race) learn(addrs []netip.AddrPort) bool {
	before := len(r.addrs)
	for _, addr := range addrs {
		if !slices.Contains(r.addrs, addr) {
			r.addrs, r.queue = append(r.addrs, addr), append(r.queue, addr)
		}
	}
	r.queue = r.known.order(r.queue, time.Now())
	return len(r.addrs) > before && r.due
}

// start returns the next address to start.
func (r *race) start(now time.Time) (netip.AddrPort, bool) {
	if r.due = len(r.queue) == 0 || len(r.running) >= mostRunning; r.due {
		return netip.AddrPort{}, false
	}
	addr := r.queue[0]
	r.queue = r.queue[1:]
	r.running[addr] = now
	return addr, true
}

func (r *race) delay() time.Duration {
	return min(longestDelay, max(shortestDelay, r.budget/time.Duration(2*len(r.addrs))))
}

// won records the winner, and those started before it as failed.
func (r *race) won(winner netip.AddrPort, begun time.Time) {
	r.known.succeed(winner)
	for addr, at := range r.running {
		if at.Before(begun) {
			r.known.fail(addr, time.Now())
		}
	}
}

// lost records an address that failed.
func (r *race) lost(addr netip.AddrPort, err error) {
	if len(r.addrs) > 1 {
		r.known.fail(addr, time.Now())
	}
	if r.first == nil || tellsLittle(r.first) && !tellsLittle(err) {
		r.first, r.at = err, addr
	}
}

// tellsLittle reports whether this machine may lack an address of the family, which would
// explain the error.
func tellsLittle(err error) bool {
	return isAny(err, syscall.ENETUNREACH, syscall.EADDRNOTAVAIL) || isOwnFault(err)
}

// ended returns the error if a timeout, or the caller, ended the race.
func (r *race) ended(cause error) error {
	for _, addr := range r.addrs { // in order, so that the last one started is last
		if _, runs := r.running[addr]; runs {
			r.first, r.at = cause, addr
			if len(r.addrs) > 1 && errors.Is(cause, context.DeadlineExceeded) {
				r.known.fail(addr, time.Now())
			}
		}
	}
	return r.fault()
}

func (r *race) fault() error {
	if r.first == nil {
		return nil
	}
	return &dialError{addr: r.at, tried: len(r.addrs) - len(r.queue), err: r.first}
}

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

// failedSince reports whether the address has failed after that time, in ns.
func (a *addresses) failedSince(addr netip.AddrPort, since int64, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.failure(addr, now) > since
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
