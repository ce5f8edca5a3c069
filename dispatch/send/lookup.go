package send

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

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

// addressesOf returns what is found first: both families if both answers arrive in time.
func addressesOf(ctx context.Context, resolver *net.Resolver, host string) ([]netip.Addr, error) {
	ctx, cancel := context.WithCancel(ctx)
	answers := lookUp(ctx, resolver, host)
	first := <-answers
	cancel()
	for range answers { // until the look-ups have ended
	}
	return first.addrs, noAnswer(first.err, host)
}

// noAnswer returns the error of a look-up. A timeout is the resolver's fault.
func noAnswer(err error, host string) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return &net.DNSError{Err: "no answer from the resolver in time", Name: host, IsTimeout: true}
	}
	return err
}
