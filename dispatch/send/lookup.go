package send

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// halfAfter is how long the answer for both families of addresses is waited for before
// each family is asked for alone. Go's resolver waits for both answers, and if one of
// them is lost, for 5 s at least (https://go.dev/issue/43398).
const halfAfter = 100 * time.Millisecond

// found is what a look-up has found: addresses or an error.
type found struct {
	addrs []netip.Addr
	err   error
}

// lookUp sends what it finds for the host, and closes the channel when nothing more will
// come: it found addresses of both families, it failed, or ctx has ended. Addresses may
// come twice. The first look-up asks for both families at once, since the search list of
// resolv.conf could lead each of them to another name; only if that takes long is each
// family asked for, too.
func lookUp(ctx context.Context, resolver *net.Resolver, host string) <-chan found {
	out := make(chan found, 3) // one for each look-up: no sender waits
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

// addressesOf is what a look-up finds first: of both families if both are answered in
// time.
func addressesOf(ctx context.Context, resolver *net.Resolver, host string) ([]netip.Addr, error) {
	ctx, cancel := context.WithCancel(ctx)
	answers := lookUp(ctx, resolver, host)
	first := <-answers
	cancel()
	for range answers { // until the look-ups have ended
	}
	return first.addrs, noAnswer(first.err, host)
}

// noAnswer is the error of a look-up. One that was ended by its time is the resolver's
// fault.
func noAnswer(err error, host string) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return &net.DNSError{Err: "no answer from the resolver in time", Name: host, IsTimeout: true}
	}
	return err
}
