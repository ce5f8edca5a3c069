package send

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// names is a name server within the test: a net.Resolver asks it over a pipe, in
// the form of DNS over TCP (RFC 1035, 4.2.2).
type names struct {
	mu      sync.Mutex
	records map[string][][]netip.Addr // what is answered in turn; the last stays
	asked   map[string]int            // how often for IPv4 addresses
	lost    map[string]bool           // questions without an answer: a kind and a name
	over    chan struct{}             // closed when nobody waits for these answers any more
}

// nameServer knows the names, each with its addresses. It answers others with
// NXDOMAIN.
func nameServer(records map[string]string) *names {
	n := &names{records: make(map[string][][]netip.Addr), asked: make(map[string]int), lost: make(map[string]bool), over: make(chan struct{})}
	for name, addresses := range records {
		n.set(name, addresses)
	}
	return n
}

// set gives the name addresses, separated by blanks; several answers in turn by |.
func (n *names) set(name, answers string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.records[name] = nil
	for answer := range strings.SplitSeq(answers, "|") {
		var addresses []netip.Addr
		for text := range strings.FieldsSeq(answer) {
			addresses = append(addresses, netip.MustParseAddr(text))
		}
		n.records[name] = append(n.records[name], addresses)
	}
}

// lose lets no answer come to questions of the kind for the name, until the test ends. Go's
// resolver goes on waiting for it when nobody wants to know any more.
func (n *names) lose(t *testing.T, kind uint16, name string) {
	t.Helper()
	t.Cleanup(func() {
		select {
		case <-n.over:
		default:
			close(n.over)
		}
	})
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lost[question(kind, name)] = true
}

func question(kind uint16, name string) string { return strconv.Itoa(int(kind)) + " " + name }

// lookUps is how often the name was looked up.
func (n *names) lookUps(name string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked[name]
}

// resolver asks the name server, and nobody else.
func (n *names) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go n.serve(server)
		return client, nil
	}}
}

func (n *names) serve(conn net.Conn) {
	defer conn.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return // the resolver is done
		}
		query := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		answer := n.answer(query)
		if answer == nil {
			<-n.over
			return
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}

const (
	typeA    = 1
	typeAAAA = 28
)

// answer makes the answer to a query with one question; nil if it is lost.
func (n *names) answer(query []byte) []byte {
	const header = 12
	var labels []string
	at := header
	for query[at] != 0 {
		length := int(query[at])
		labels = append(labels, string(query[at+1:at+1+length]))
		at += 1 + length
	}
	end := at + 5 // zero, type, class
	kind := binary.BigEndian.Uint16(query[at+1:])
	name := strings.ToLower(strings.Join(labels, "."))
	addresses, known := n.find(name, kind)
	if n.isLost(kind, name) {
		return nil
	}
	code := byte(3) // NXDOMAIN
	if known {
		code = 0
	}
	out := append([]byte{query[0], query[1], 0x84, 0x80 | code, 0, 1, 0, byte(len(addresses)), 0, 0, 0, 0}, query[header:end]...)
	for _, a := range addresses {
		out = append(out, 0xc0, header, 0, byte(kind), 0, 1, 0, 0, 0, 0, 0, byte(a.BitLen()/8)) // name, type, class, TTL, length
		out = append(out, a.AsSlice()...)
	}
	return out
}

func (n *names) isLost(kind uint16, name string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lost[question(kind, name)]
}

// find is the addresses of the kind, in their order. The turns are those of the
// questions for IPv4: a name that has several has no address of IPv6.
func (n *names) find(name string, kind uint16) (addresses []netip.Addr, known bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	turns, known := n.records[name]
	if !known {
		return nil, false
	}
	turn := n.asked[name]
	if kind == typeA {
		n.asked[name]++
	}
	for _, a := range turns[min(turn, len(turns)-1)] {
		if a.Is4() && kind == typeA || a.Is6() && kind == typeAAAA {
			addresses = append(addresses, a)
		}
	}
	return addresses, true
}
