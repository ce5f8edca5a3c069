package send

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"syscall"
)

// Contact is how far an attempt got on its way to the receiver's host.
type Contact uint8

// Contacts. An Outcome with a status has made contact, whatever its Contact.
const (
	ContactUnknown    Contact = iota // unknown, or nothing was tried
	ContactMade                      // a connection was made
	ContactNone                      // no connection was made, or the name has no address
	ContactNoResolver                // the resolver did not answer, or reported a temporary error
	ContactOwnFault                  // this machine has run out of sockets, ports or memory
)

// contactOf returns the contact of an attempt without an answer. connected states that
// the request's last connection was a new one: a reused one proves nothing.
func contactOf(err error, connected bool) Contact {
	switch {
	case isOwnFault(err):
		return ContactOwnFault
	case isA[*handshakeError](err), connected && !isA[*dialError](err) && !isA[*net.DNSError](err):
		return ContactMade
	}
	dns, _ := errors.AsType[*net.DNSError](err)
	switch result := resultOfError(err); {
	case result == ResultDNS && !dns.IsNotFound && (dns.IsTimeout || dns.IsTemporary):
		return ContactNoResolver
	case result == ResultDNS, result == ResultRefused && !isA[*proxyError](err), result == ResultTimeout && isA[*dialError](err):
		return ContactNone
	case result == ResultTLS, result == ResultReset:
		return ContactMade
	default:
		return ContactUnknown
	}
}

// isOwnFault reports whether this machine lacks what a connection needs: descriptors,
// memory or ports. For an IPv6 address, EADDRNOTAVAIL also means that this machine has no
// IPv6, which must not be retried forever.
func isOwnFault(err error) bool {
	dial, ok := errors.AsType[*dialError](err)
	return isAny(err, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM) ||
		ok && dial.addr.Addr().Is4() && errors.Is(err, syscall.EADDRNOTAVAIL)
}

// dialError states that no address of a host accepted a connection.
type dialError struct {
	addr  netip.AddrPort // address of err
	tried int            // number of addresses
	err   error
}

func (e *dialError) Error() string { return "connect to " + e.addr.String() + ": " + e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// where returns the address, and the number of others that were tried.
func (e *dialError) where() string {
	if e.tried < 2 {
		return e.addr.String()
	}
	return e.addr.String() + " (" + strconv.Itoa(e.tried) + " addresses tried)"
}
