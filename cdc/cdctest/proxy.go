package cdctest

import (
	"bytes"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// Proxy is a TCP address in front of a server that can misbehave as networks do. It is
// safe for concurrent use.
type Proxy struct {
	listener net.Listener

	mu      sync.Mutex
	network string
	target  string
	flow    *sync.Cond
	stalled bool
	silent  bool // replication connections are stalled
	delay   time.Duration
	closed  bool
	pairs   map[*pair]struct{}
	wg      sync.WaitGroup
}

type pair struct {
	client, server net.Conn
	kind           Kind // guarded by the proxy's mu
	forgotten      bool // guarded by the proxy's mu
}

// Kind is the use of a connection: the bytes by which it is recognized.
type Kind string

// Kinds of connections.
const (
	Queries     Kind = ""                                // any other
	Replication Kind = "\x00replication\x00database\x00" // in the start-up message
	Lock        Kind = "pg_try_advisory_lock"
	Listen      Kind = "LISTEN "
)

// NewProxy listens on a free loopback port and forwards to the target, for
// example ("unix", server.Socket()). It ends with the test.
func NewProxy(t testing.TB, network, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // lives as long as the test
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	p := &Proxy{listener: l, network: network, target: target, pairs: map[*pair]struct{}{}}
	p.flow = sync.NewCond(&p.mu)
	p.wg.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Addr returns host:port of the proxy.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut resets all connections; new ones are accepted.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.pairs {
		if tcp, ok := c.client.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // reset instead of a normal close
		}
		_ = c.client.Close()
		_ = c.server.Close()
	}
}

// Stall keeps all connections open but forwards nothing in either direction, like
// half-open connections.
func (p *Proxy) Stall() { p.set(func() { p.stalled = true }) }

// StallReplication is Stall for replication connections only, as if a firewall had
// dropped the state of one connection.
func (p *Proxy) StallReplication() { p.set(func() { p.silent = true }) }

// Forget permanently stops forwarding on the present connections of these kinds, or on
// all, in both directions; new connections work. A firewall that loses its state behaves
// so. It returns the number of connections.
func (p *Proxy) Forget(kinds ...Kind) (n int) {
	p.set(func() {
		for c := range p.pairs {
			if len(kinds) == 0 || slices.Contains(kinds, c.kind) {
				c.forgotten = true
				n++
			}
		}
	})
	return n
}

// FailOver directs new connections to another server and cuts the present ones. If silent
// is set, the connection of an advisory lock is forgotten instead: its client does not
// see it end.
func (p *Proxy) FailOver(network, target string, silent bool) {
	p.set(func() {
		p.network, p.target = network, target
		for c := range p.pairs {
			if c.forgotten = silent && c.kind == Lock; !c.forgotten {
				_ = c.client.Close()
				_ = c.server.Close()
			}
		}
	})
}

// Delay delays each block of bytes by d.
func (p *Proxy) Delay(d time.Duration) { p.set(func() { p.delay = d }) }

// Heal ends Stall, StallReplication and Delay. Forgotten connections remain forgotten.
func (p *Proxy) Heal() { p.set(func() { p.stalled, p.silent, p.delay = false, false, 0 }) }

func (p *Proxy) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	p.flow.Broadcast()
}

func (p *Proxy) close() {
	p.set(func() { p.closed = true })
	_ = p.listener.Close()
	p.Cut()
	p.wg.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		network, target := p.network, p.target
		p.mu.Unlock()
		server, err := net.Dial(network, target) //nolint:noctx // lives as long as the test
		if err != nil {
			_ = client.Close()
			continue
		}
		c := &pair{client: client, server: server}
		p.mu.Lock()
		p.pairs[c] = struct{}{}
		p.mu.Unlock()
		p.wg.Go(func() { p.copy(c, client, server) })
		p.wg.Go(func() { p.copy(c, server, client) })
	}
}

// copy forwards until either side closes, then closes both.
func (p *Proxy) copy(c *pair, from, to net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && p.pass(c, buf[:n]) {
			if _, err := to.Write(buf[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	p.mu.Lock()
	for c.forgotten && !p.closed { // the other side must not see the end either
		p.flow.Wait()
	}
	delete(p.pairs, c)
	p.mu.Unlock()
	_ = from.Close()
	_ = to.Close()
}

// pass waits as the proxy's state requires; it returns false if the proxy was closed or
// the connection is forgotten.
func (p *Proxy) pass(c *pair, data []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, kind := range [...]Kind{Replication, Lock, Listen} {
		if c.kind == Queries && bytes.Contains(data, []byte(kind)) {
			c.kind = kind
		}
	}
	for (p.stalled || p.silent && c.kind == Replication) && !p.closed {
		p.flow.Wait()
	}
	if c.forgotten {
		return false
	}
	if d := p.delay; d > 0 && !p.closed {
		p.mu.Unlock()
		<-time.After(d)
		p.mu.Lock()
	}
	return !p.closed
}
