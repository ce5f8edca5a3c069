package send

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"

	"code.dny.dev/ssrf"
)

// ErrBlocked is the error of an attempt at a forbidden address.
var ErrBlocked = errors.New("address is forbidden by the egress policy")

// blockedError is ErrBlocked with the destination.
type blockedError struct{ to string }

func (e *blockedError) Error() string { return e.to + ": " + ErrBlocked.Error() }
func (e *blockedError) Unwrap() error { return ErrBlocked }

// Egress is the policy for addresses that hooks may reach. It is checked when a
// connection is dialed, after the name look-up, so that a name cannot be changed between
// check and use. The zero Egress allows nothing; it is safe for concurrent use.
type Egress struct {
	guard *ssrf.Guardian // for the policies internal and public
	only  []netip.Prefix // alternatively: the only allowed networks
}

// metadata are addresses at which cloud providers serve credentials and secrets of the
// machine. They lie in ranges that a policy may allow; others are link-local.
var metadata = []netip.Prefix{
	netip.MustParsePrefix("100.100.100.200/32"),     // Alibaba, in the shared range of RFC 6598
	netip.MustParsePrefix("168.63.129.16/32"),       // Azure, a public address
	netip.MustParsePrefix("192.0.0.192/32"),         // Oracle
	netip.MustParsePrefix("fd00:42::42/128"),        // Scaleway
	netip.MustParsePrefix("fd00:100::100:200/128"),  // Alibaba
	netip.MustParsePrefix("fd00:a9fe:a9fe::1/128"),  // Linode
	netip.MustParsePrefix("fd00:c1::a9fe:a9fe/128"), // Oracle
	netip.MustParsePrefix("fd00:ec2::/32"),          // AWS, all services for the machine
	netip.MustParsePrefix("fd20:ce::254/128"),       // Google
}

// nat64 has all IPv4 addresses in networks that have IPv6 alone, where the resolver gives them to
// names that have no IPv6 address (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// ParseEgress reads a policy: "internal" (all but link-local, metadata, multicast,
// unspecified and reserved addresses), "public" (also no private or loopback addresses),
// or a list of the only allowed CIDRs, separated by commas or blanks.
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
			return Egress{}, fmt.Errorf("parse egress policy: %q is not internal, public or a CIDR", cidr)
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

// Control is for net.Dialer: it prevents connections by returning ErrBlocked.
func (e Egress) Control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: not an IP address", ErrBlocked)
	}
	if addr := to.Addr(); !e.Allows(addr) {
		return &blockedError{addr.String()}
	}
	return nil
}

// Allows reports whether hooks may reach the address.
func (e Egress) Allows(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("") // as the kernel treats it; a Prefix contains no address with a zone
	among := func(p netip.Prefix) bool { return p.Contains(addr) }
	if e.guard == nil {
		return slices.ContainsFunc(e.only, among)
	}
	if nat64.Contains(addr) {
		b := addr.As16()
		if addr = netip.AddrFrom4([4]byte(b[12:])); addr.IsLoopback() {
			return false // it would be the gateway's
		}
	}
	return !slices.ContainsFunc(metadata, among) && e.guard.SafeAddr(addr) == nil
}
