package send

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Result is the result of one attempt.
type Result uint8

// Results of attempts.
const (
	Result2xx Result = iota
	Result3xx
	Result4xx
	Result5xx
	ResultTimeout // no answer in time
	ResultRefused // the address does not accept connections, or is unreachable
	ResultDNS     // the host's name has no address
	ResultTLS     // no trusted certificate, or no TLS at all
	ResultBlocked // the egress policy forbids the address
	ResultReset   // the connection broke, or the answer was not HTTP
	Results       // number of results
)

var resultLabels = [Results]string{"2xx", "3xx", "4xx", "5xx", "timeout", "refused", "dns", "tls", "blocked", "reset"}

// String returns the result as a metric label.
func (r Result) String() string {
	if r >= Results {
		return "unknown"
	}
	return resultLabels[r]
}

// resultOfStatus returns the result of a final answer. Statuses unknown to RFC 9110 count
// by their first digit, or as 5xx; a final 1xx is not an HTTP answer to a POST.
func resultOfStatus(status int) Result {
	switch status / 100 {
	case 1:
		return ResultReset
	case 2:
		return Result2xx
	case 3:
		return Result3xx
	case 4:
		return Result4xx
	default:
		return Result5xx
	}
}

// resultOfError returns the result of an attempt without an answer.
func resultOfError(err error) Result {
	switch {
	case errors.Is(err, ErrBlocked):
		return ResultBlocked
	case isA[*net.DNSError](err):
		return ResultDNS
	case isTLS(err):
		return ResultTLS
	case isTimeout(err):
		return ResultTimeout
	case isUnreachable(err):
		return ResultRefused
	default:
		return ResultReset
	}
}

func isTLS(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "remote error" || op.Op == "local error") {
		return true // a TLS alert, whose type is not exported
	}
	if isA[*handshakeError](err) && !isTimeout(err) && !isBroken(err) {
		return true // such as a message of another version: most errors of crypto/tls have no type
	}
	return errors.Is(err, http.ErrSchemeMismatch) ||
		isA[*tls.CertificateVerificationError](err) || isA[tls.RecordHeaderError](err) ||
		isA[x509.HostnameError](err) || isA[x509.UnknownAuthorityError](err) || isA[x509.CertificateInvalidError](err)
}

// isBroken reports whether the connection ended.
func isBroken(err error) bool {
	return isAny(err, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed) || isA[syscall.Errno](err)
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout() || isAny(err, context.DeadlineExceeded, os.ErrDeadlineExceeded)
}

func isUnreachable(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && (op.Op == "dial" || op.Op == "proxyconnect") || isA[*unreachableError](err) ||
		isAny(err, syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EADDRNOTAVAIL)
}

// unreachableError is the reason, without secrets, why the receiver is unreachable.
type unreachableError struct {
	why     string
	ofProxy bool // says nothing about the receiver's network
}

func (e *unreachableError) Error() string { return e.why }

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func isAny(err error, targets ...error) bool {
	return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
}

// describe describes an error without secrets: errors of net/http may contain the URL, or
// the receiver's answer, which may repeat the request.
func describe(err error) string {
	dial, isDial := errors.AsType[*dialError](err)
	switch resultOfError(err) {
	case ResultTimeout:
		if isDial {
			return "no answer in time from " + dial.where()
		}
		return "no answer in time"
	case ResultBlocked:
		if blocked, ok := errors.AsType[*blockedError](err); ok {
			return blocked.Error()
		}
	case ResultDNS:
		if dns, ok := errors.AsType[*net.DNSError](err); ok {
			return fmt.Sprintf("look up %s: %s", dns.Name, dns.Err)
		}
	case ResultTLS:
		return describeTLS(err)
	case ResultRefused:
		if unreachable, ok := errors.AsType[*unreachableError](err); ok {
			return unreachable.Error()
		}
	}
	errno, ok := errors.AsType[syscall.Errno](err)
	op, isOp := errors.AsType[*net.OpError](err)
	switch {
	case !ok:
		return "no valid HTTP answer: the connection broke, or the answer is malformed"
	case isDial && isOwnFault(err): // the receiver is not responsible
		return "this machine cannot connect: dial " + dial.where() + ": " + errno.Error()
	case isDial:
		return "dial " + dial.where() + ": " + errno.Error()
	case isOp && op.Addr != nil:
		return fmt.Sprintf("%s %s: %s", op.Op, op.Addr, errno)
	default:
		return errno.Error()
	}
}

func describeTLS(err error) string {
	hostname, isHostname := errors.AsType[x509.HostnameError](err)
	invalid, isInvalid := errors.AsType[x509.CertificateInvalidError](err)
	side, alert := alertOf(err)
	switch {
	case errors.Is(err, http.ErrSchemeMismatch) || isA[tls.RecordHeaderError](err):
		return "the receiver does not speak TLS on this port"
	case isHostname && len(hostname.Certificate.DNSNames) == 0 && len(hostname.Certificate.IPAddresses) == 0:
		// Other clients may accept its common name (RFC 6125, section 6.4.4).
		return "the receiver's certificate names no host: it needs a subject alternative name"
	case isHostname:
		return "the receiver's certificate is for another host"
	case isA[x509.UnknownAuthorityError](err):
		return "the receiver's certificate is signed by an unknown authority: if you trust it, add its certificate to HOOKTAIL_TLS_CA"
	case isInvalid && (invalid.Reason != x509.Expired || invalid.Cert == nil):
		return "the receiver's certificate is not valid"
	case isInvalid && time.Now().Before(invalid.Cert.NotBefore):
		return "the receiver's certificate is not valid yet by the clock of this machine"
	case isInvalid:
		return "the receiver's certificate has expired by the clock of this machine"
	case alert == "":
		return "no agreement on TLS"
	case side == "remote error":
		return "the receiver refused TLS: " + alert
	default:
		return "no agreement on TLS: " + alert
	}
}

// alertOf returns the name of the TLS alert that ended the connection, as in RFC 8446,
// and the side that sent it; "" for other errors. The error's type is not exported.
func alertOf(err error) (side, alert string) {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "remote error" && op.Op != "local error" || op.Err == nil {
		return "", ""
	}
	number := reflect.ValueOf(op.Err)
	if number.Kind() != reflect.Uint8 {
		return "", ""
	}
	return op.Op, strings.TrimPrefix(tls.AlertError(number.Uint()).Error(), "tls: ")
}

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
	unreachable, ok := errors.AsType[*unreachableError](err)
	switch result := resultOfError(err); {
	case result == ResultDNS && !dns.IsNotFound && (dns.IsTimeout || dns.IsTemporary):
		return ContactNoResolver
	case result == ResultDNS, result == ResultRefused && (!ok || !unreachable.ofProxy), result == ResultTimeout && isA[*dialError](err):
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
