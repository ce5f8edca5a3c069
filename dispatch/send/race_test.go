package send

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// lab is addresses that answer as a test wants, in virtual time.
type lab struct {
	behavior map[string]place // by address; none: it swallows what is sent to it

	mu    sync.Mutex
	order []string // in which they were dialed
	open  int      // connections
	now   int      // addresses being dialed
	most  int      // of them at a time
}

// place is an address that answers after some time, with an error or a connection.
type place struct {
	after time.Duration
	err   error
}

func (l *lab) dial(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	name := addr.Addr().String()
	l.mu.Lock()
	l.order = append(l.order, name)
	l.now++
	l.most = max(l.most, l.now)
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.now--
	}()
	p, answers := l.behavior[name]
	if !answers {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(p.after):
	}
	if p.err != nil {
		return nil, p.err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open++
	return &labConn{lab: l, name: name}, nil
}

type labConn struct {
	net.Conn
	lab  *lab
	name string
}

func (c *labConn) Close() error {
	c.lab.mu.Lock()
	defer c.lab.mu.Unlock()
	c.lab.open--
	return nil
}

func addrPorts(t *testing.T, text string) []netip.AddrPort {
	t.Helper()
	var list []netip.AddrPort
	for field := range strings.FieldsSeq(text) {
		list = append(list, netip.AddrPortFrom(netip.MustParseAddr(field), 80))
	}
	return list
}

func TestRace(t *testing.T) {
	const second = time.Second
	ok := place{after: 5 * time.Millisecond}
	refuses := place{after: time.Millisecond, err: syscall.ECONNREFUSED}
	for _, tt := range []struct {
		name   string
		addrs  string // as they are found; | is 300 ms
		places map[string]place
		winner string // or "timeout", "refused", "nothing"
		within time.Duration
		next   string // order of the next time
	}{
		{"one address", "10.0.0.1", map[string]place{"10.0.0.1": ok}, "10.0.0.1", 10 * time.Millisecond, "10.0.0.1"},
		{"one that swallows", "10.0.0.1", nil, "timeout", second, "10.0.0.1"},
		{"the first swallows", "10.0.0.1 10.0.0.2", map[string]place{"10.0.0.2": ok}, "10.0.0.2", 300 * time.Millisecond, "10.0.0.2 10.0.0.1"},
		{"all but the last of eight swallow", "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.7 10.0.0.8", map[string]place{"10.0.0.8": ok}, "10.0.0.8", second / 2, "10.0.0.8 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.7"},
		{"the first refuses", "10.0.0.1 10.0.0.2", map[string]place{"10.0.0.1": refuses, "10.0.0.2": ok}, "10.0.0.2", 20 * time.Millisecond, "10.0.0.2 10.0.0.1"},
		{"all refuse", "10.0.0.1 10.0.0.2", map[string]place{"10.0.0.1": refuses, "10.0.0.2": refuses}, "refused", 20 * time.Millisecond, "10.0.0.1 10.0.0.2"},
		{"one refuses, one swallows", "10.0.0.1 10.0.0.2", map[string]place{"10.0.0.1": refuses}, "timeout", second, "10.0.0.1 10.0.0.2"},
		{"no IPv6 here", "fd00::1 10.0.0.1", map[string]place{"fd00::1": {err: syscall.ENETUNREACH}, "10.0.0.1": refuses}, "refused", 20 * time.Millisecond, "fd00::1 10.0.0.1"},
		{"IPv6 swallows", "fd00::1 fd00::2 fd00::3 10.0.0.1", map[string]place{"10.0.0.1": ok}, "10.0.0.1", 300 * time.Millisecond, "10.0.0.1 fd00::2 fd00::3 fd00::1"},
		{"the slow first one wins", "10.0.0.1 10.0.0.2", map[string]place{"10.0.0.1": {after: 400 * time.Millisecond}, "10.0.0.2": {after: 700 * time.Millisecond}}, "10.0.0.1", 410 * time.Millisecond, "10.0.0.1 10.0.0.2"},
		{"the good one is found late", "10.0.0.1|10.0.0.2", map[string]place{"10.0.0.2": ok}, "10.0.0.2", 320 * time.Millisecond, "10.0.0.2 10.0.0.1"},
		{"the good one is found when the other has failed", "10.0.0.1|10.0.0.2", map[string]place{"10.0.0.1": refuses, "10.0.0.2": ok}, "10.0.0.2", 320 * time.Millisecond, ""},
		{"found twice", "10.0.0.1 10.0.0.1|10.0.0.1", map[string]place{"10.0.0.1": {after: 400 * time.Millisecond}}, "10.0.0.1", 410 * time.Millisecond, "10.0.0.1"},
		{"nothing found", "|", nil, "nothing", 310 * time.Millisecond, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), second)
				defer cancel()
				more := make(chan []netip.AddrPort)
				go func() {
					defer close(more)
					for i, found := range strings.Split(tt.addrs, "|") {
						if i > 0 {
							time.Sleep(300 * time.Millisecond) //nolint:forbidigo // of the bubble
						}
						select {
						case more <- addrPorts(t, found):
						case <-ctx.Done():
						}
					}
				}()
				l := &lab{behavior: tt.places}
				var known addresses
				r := race{dial: l.dial, known: &known, budget: second}
				begun := time.Now()
				conn, err := r.run(ctx, more)
				if took := time.Since(begun); took > tt.within {
					t.Errorf("took %s, want at most %s", took, tt.within)
				}
				got := "nothing"
				switch {
				case conn != nil:
					got = conn.(*labConn).name
					conn.Close()
				case errors.Is(err, context.DeadlineExceeded):
					got = "timeout"
				case errors.Is(err, syscall.ECONNREFUSED):
					got = "refused"
				}
				if got != tt.winner || err != nil && !isA[*dialError](err) {
					t.Errorf("%s (%v), want %s", got, err, tt.winner)
				}
				if l.open != 0 {
					t.Errorf("%d connections are left", l.open)
				}
				if tt.next != "" {
					order := known.order(r.addrs, time.Now())
					if want := addrPorts(t, tt.next); !slices.Equal(order, want) {
						t.Errorf("next time in the order %v, want %v", order, want)
					}
				}
				cancel()
				synctest.Wait()
			})
		})
	}
}

// TestManyAddresses: however many addresses a name has, an attempt opens few sockets at a
// time, and those that were not tried come first at the next attempt.
func TestManyAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const number = 200
		var list strings.Builder
		for i := range number {
			fmt.Fprintf(&list, "10.0.0.%d ", i)
		}
		l := &lab{behavior: map[string]place{fmt.Sprintf("10.0.0.%d", number-1): {after: time.Millisecond}}}
		var known addresses
		attempts := 0
		for conn := net.Conn(nil); conn == nil; attempts++ {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			more := make(chan []netip.AddrPort, 1)
			more <- addrPorts(t, list.String())
			close(more)
			r := race{dial: l.dial, known: &known, budget: time.Second}
			conn, _ = r.run(ctx, more)
			cancel()
		}
		if l.most > mostRunning || attempts > number/mostRunning+1 {
			t.Errorf("connected with attempt %d; up to %d addresses were dialed at a time", attempts, l.most)
		}
	})
}

// TestAddressIsForgiven: what failed long ago, or serves again, has its place again.
func TestAddressIsForgiven(t *testing.T) {
	list := addrPorts(t, "10.0.0.1 10.0.0.2 10.0.0.3")
	now := time.Unix(1_000_000_000, 0)
	var known addresses
	check := func(when time.Time, want string) {
		t.Helper()
		if got := known.order(list, when); !slices.Equal(got, addrPorts(t, want)) {
			t.Errorf("order %v, want %s", got, want)
		}
	}
	check(now, "10.0.0.1 10.0.0.2 10.0.0.3")
	known.fail(list[1], now)
	known.fail(list[0], now.Add(time.Second))
	check(now.Add(time.Second), "10.0.0.3 10.0.0.2 10.0.0.1")
	known.succeed(list[1])
	check(now.Add(time.Second), "10.0.0.2 10.0.0.3 10.0.0.1")
	check(now.Add(time.Hour), "10.0.0.1 10.0.0.2 10.0.0.3")
	for i := range 2 * mostFailed {
		known.fail(netip.AddrPortFrom(list[0].Addr(), uint16(i)), now)
	}
	if n := len(known.failed); n > mostFailed {
		t.Errorf("%d addresses are remembered", n)
	}
}
