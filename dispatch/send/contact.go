package send

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"syscall"
)

// Contact is how far an attempt came on its way to the receiver's host.
type Contact uint8

// The contacts. An Outcome with a status has made contact, whatever it says here.
const (
	ContactUnknown    Contact = iota // it cannot be told, or nothing was tried
	ContactMade                      // a connection was made
	ContactNone                      // no connection was made, or the name has no address
	ContactNoResolver                // the resolver did not answer, or said that it cannot now
	ContactOwnFault                  // this machine has no sockets, ports or memory left
)

// contactOf is the contact of an attempt that got no answer. connected says that the last
// connection that the request had was a new one: that of a used one proves nothing.
func contactOf(err error, connected bool) Contact {
	switch {
	case isOwnFault(err):
		return ContactOwnFault
	case isA[*handshakeError](err), connected && !isA[*dialError](err) && !isA[*net.DNSError](err):
		return ContactMade
	}
	switch resultOfError(err) {
	case ResultDNS:
		if dns, ok := errors.AsType[*net.DNSError](err); ok && !dns.IsNotFound && (dns.IsTimeout || dns.IsTemporary) {
			return ContactNoResolver
		}
		return ContactNone
	case ResultRefused:
		if isA[*proxyError](err) {
			return ContactUnknown
		}
		return ContactNone
	case ResultTLS, ResultReset:
		return ContactMade
	case ResultTimeout:
		if isA[*dialError](err) {
			return ContactNone
		}
	}
	return ContactUnknown
}

// isOwnFault reports whether this machine lacks what a connection needs: descriptors,
// memory, or ports. For an IPv6 address EADDRNOTAVAIL also means that this machine has
// no IPv6, which is no reason to wait for ever.
func isOwnFault(err error) bool {
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, errno) {
			return true
		}
	}
	dial, ok := errors.AsType[*dialError](err)
	return ok && dial.addr.Addr().Is4() && errors.Is(err, syscall.EADDRNOTAVAIL)
}

// dialError says that no connection was made to any address of a host.
type dialError struct {
	addr  netip.AddrPort // one that err is of
	tried int            // addresses
	err   error
}

func (e *dialError) Error() string { return "connect to " + e.addr.String() + ": " + e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// where is the address, and how many others were tried as well.
func (e *dialError) where() string {
	if e.tried < 2 {
		return e.addr.String()
	}
	return e.addr.String() + " (" + strconv.Itoa(e.tried) + " addresses tried)"
}
