package send

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// dialer makes connections for a transport: it looks up a host, connects to one of its
// addresses, and completes the TLS handshake. It is safe for concurrent use.
type dialer struct {
	egress   *Egress // checked for each address; nil: all are allowed
	timeout  time.Duration
	resolver *net.Resolver
	tls      *tls.Config
	known    addresses
	silent   addresses // those where a kept connection got no answer in time
}

// dialShare is the share of an attempt's timeout for making its connection. So the
// dialer's error, which says more, precedes the attempt's own timeout.
const dialShare = 0.9

func newDialer(o Options, egress *Egress) *dialer {
	return &dialer{egress: egress, timeout: time.Duration(dialShare * float64(o.Timeout)), resolver: o.Resolver, tls: tlsConfig(o.TLS)}
}

// dial connects to an address of the host. Its errors are those of the look-up,
// ErrBlocked if no address is allowed, and *dialError.
func (d *dialer) dial(ctx context.Context, _, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	conn, err := d.connect(ctx, address)
	if err != nil {
		return nil, err
	}
	return newRequestConn(conn, d), nil
}

// dialTLS is dial with a handshake. An address whose handshake fails counts as one that
// does not accept connections.
func (d *dialer) dialTLS(ctx context.Context, _, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	conn, err := d.connect(ctx, address)
	if err != nil {
		return nil, err
	}
	config := d.tls
	if config.ServerName == "" {
		config = config.Clone()
		config.ServerName, _, _ = net.SplitHostPort(address) // connect has split it
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		d.known.fail(addrPortOf(conn), time.Now())
		conn.Close()
		return nil, &handshakeError{err}
	}
	return newRequestConn(secure, d), nil
}

// handshakeError is a failed TLS handshake. A connection was made.
type handshakeError struct{ error }

func (e *handshakeError) Unwrap() error { return e.error }

// connect tries the allowed addresses as they are found.
func (d *dialer) connect(ctx context.Context, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, &unreachableError{why: "the port is not a number"}
	}
	ctx, cancel := context.WithCancel(ctx)
	answers := lookUp(ctx, d.resolver, host)
	more := make(chan []netip.AddrPort)
	ended := make(chan struct{})
	var blocked, failed error // first error of each kind; read after ended
	go func() {
		defer close(ended)
		defer close(more)
		for f := range answers {
			allowed, err := d.allowed(f.addrs, uint16(number))
			failed, blocked = cmp.Or(failed, noAnswer(f.err, host)), cmp.Or(blocked, err)
			select {
			case more <- allowed:
			case <-ctx.Done(): // the race has ended: lookUp must not block
			}
		}
	}()
	r := race{dial: d.single, known: &d.known, budget: d.timeout}
	conn, err := r.run(ctx, more)
	ending := ctx.Err()
	cancel()
	<-ended
	if conn != nil || err != nil {
		return conn, err
	}
	return nil, cmp.Or(blocked, failed, noAnswer(ending, host))
}

// allowed returns the addresses that the egress policy allows, and an error for the first
// forbidden one.
func (d *dialer) allowed(addrs []netip.Addr, port uint16) (list []netip.AddrPort, blocked error) {
	for _, addr := range addrs {
		if d.egress != nil && !d.egress.Allows(addr) {
			if blocked == nil {
				blocked = &blockedError{addr.String()}
			}
			continue
		}
		list = append(list, netip.AddrPortFrom(addr, port))
	}
	return list, blocked
}

// single connects to one address. The policy's library checks again at the point where
// the address can no longer change.
func (d *dialer) single(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	var system net.Dialer
	if d.egress != nil {
		system.Control = d.egress.Control
	}
	conn, err := system.DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return nil, err
	}
	return answerable{conn}, nil
}

// halfAfter is the time to wait for addresses of both families before each family is
// looked up separately. Go's resolver waits for both answers, and if one of them is lost,
// for at least 5 s (https://go.dev/issue/43398).
const halfAfter = 100 * time.Millisecond

// found is the result of a look-up: addresses or an error.
type found struct {
	addrs []netip.Addr
	err   error
}

// lookUp sends what it finds for the host, and closes the channel when nothing more will
// come: it has addresses of both families, it failed, or ctx has ended. Addresses may
// come twice. The first look-up is for both families together, since the search list of
// resolv.conf could lead each of them to another name; the families are only looked up
// separately if that takes long.
func lookUp(ctx context.Context, resolver *net.Resolver, host string) <-chan found {
	out := make(chan found, 3) // one for each look-up: senders never block
	if addr, err := netip.ParseAddr(host); err == nil {
		out <- found{addrs: []netip.Addr{addr}}
		close(out)
		return out
	}
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	both := make(chan found, 1)
	go func() { both <- lookUpFamily(ctx, resolver, "ip", host) }()
	go func() {
		defer close(out)
		patience := time.NewTimer(halfAfter)
		defer patience.Stop()
		select {
		case f := <-both:
			out <- f
			return
		case <-patience.C:
		}
		halves, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		for _, family := range []string{"ip4", "ip6"} {
			wg.Go(func() {
				if f := lookUpFamily(halves, resolver, family, host); f.err == nil {
					out <- f
				}
			})
		}
		f := <-both
		cancel()
		wg.Wait()
		out <- f
	}()
	return out
}

func lookUpFamily(ctx context.Context, resolver *net.Resolver, family, host string) found {
	addrs, err := resolver.LookupNetIP(ctx, family, host)
	if err == nil && len(addrs) == 0 {
		err = &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	return found{addrs, err}
}

// noAnswer returns the error of a look-up. A timeout is the resolver's fault.
func noAnswer(err error, host string) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return &net.DNSError{Err: "no answer from the resolver in time", Name: host, IsTimeout: true}
	}
	return err
}
