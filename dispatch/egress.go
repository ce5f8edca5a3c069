package dispatch

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"

	"code.dny.dev/ssrf"
)

// ErrBlocked is what a forbidden address ends an attempt with.
var ErrBlocked = errors.New("address is forbidden by the egress policy")

type blockedError struct{ address netip.Addr }

func (e *blockedError) Error() string { return e.address.String() + ": " + ErrBlocked.Error() }
func (e *blockedError) Unwrap() error { return ErrBlocked }

// Egress says which addresses hooks may reach. It is asked when a connection is
// dialed, after the name was looked up, so that a name cannot be moved between
// check and use. The zero Egress allows nothing; it is safe for concurrent use.
type Egress struct {
	guard *ssrf.Guardian // of the policies internal and public
	only  []netip.Prefix // instead: what alone is allowed
}

// Special addresses of cloud providers, where credentials and secrets of the
// machine are to be had. They lie in ranges that a policy may allow.
var metadata = []netip.Addr{
	netip.MustParseAddr("100.100.100.200"), // Alibaba, in the shared range of RFC 6598
	netip.MustParseAddr("168.63.129.16"),   // Azure, a public address
	netip.MustParseAddr("192.0.0.192"),     // Oracle
	netip.MustParseAddr("fd00:ec2::254"),   // AWS, unique local
	netip.MustParseAddr("fd00:ec2::23"),    // AWS EKS
	netip.MustParseAddr("fd20:ce::254"),    // Google
}

// ParseEgress reads a policy: "internal" (everything but link-local and
// metadata addresses, multicast, unspecified and reserved ones), "public" (no
// private or loopback address either), or CIDRs, separated by commas or blanks,
// that alone are allowed.
func ParseEgress(policy string) (Egress, error) {
	switch policy {
	case "internal":
		return Egress{guard: ssrf.New(ssrf.WithAnyPort(),
			ssrf.WithAllowedV4Prefixes(
				netip.MustParsePrefix("10.0.0.0/8"),     // RFC 1918
				netip.MustParsePrefix("172.16.0.0/12"),  // RFC 1918
				netip.MustParsePrefix("192.168.0.0/16"), // RFC 1918
				netip.MustParsePrefix("127.0.0.0/8"),    // loopback
				netip.MustParsePrefix("100.64.0.0/10"),  // RFC 6598
				netip.MustParsePrefix("198.18.0.0/15"),  // RFC 2544
			),
			ssrf.WithAllowedV6Prefixes(
				netip.MustParsePrefix("::1/128"),
				netip.MustParsePrefix("fc00::/7"), // RFC 4193
			))}, nil
	case "public":
		return Egress{guard: ssrf.New(ssrf.WithAnyPort())}, nil
	}
	var only []netip.Prefix
	for cidr := range strings.FieldsFuncSeq(policy, func(r rune) bool { return r == ',' || r == ' ' }) {
		prefix, err := netip.ParsePrefix(cidr)
		if err != nil {
			return Egress{}, fmt.Errorf("parse egress policy: %q is none of internal, public and a CIDR", cidr)
		}
		if prefix.Addr().Is4In6() {
			return Egress{}, fmt.Errorf("parse egress policy: write %s as an IPv4 CIDR", cidr)
		}
		only = append(only, prefix.Masked())
	}
	if len(only) == 0 {
		return Egress{}, errors.New("parse egress policy: it is empty")
	}
	return Egress{only: only}, nil
}

// Control is for net.Dialer: an error that is ErrBlocked keeps it from
// connecting.
func (e Egress) Control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: not an IP address", ErrBlocked)
	}
	if addr := to.Addr(); !e.Allows(addr) {
		return &blockedError{addr}
	}
	return nil
}

// Allows reports whether hooks may reach the address.
func (e Egress) Allows(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("") // as the kernel will take it; a Prefix contains no zoned address
	if e.guard == nil {
		for _, prefix := range e.only {
			if prefix.Contains(addr) {
				return true
			}
		}
		return false
	}
	for _, m := range metadata {
		if addr == m {
			return false
		}
	}
	return e.guard.SafeAddr(addr) == nil
}
