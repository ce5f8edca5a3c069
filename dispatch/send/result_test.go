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
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestResultOfError(t *testing.T) {
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 80}, Err: err}
	}
	read := func(err error) error { return &net.OpError{Op: "read", Net: "tcp", Err: err} }
	for _, tt := range []struct {
		name string
		in   error
		want Result
	}{
		{"deadline", context.DeadlineExceeded, ResultTimeout},
		{"deadline, wrapped", fmt.Errorf("hush: %w", context.DeadlineExceeded), ResultTimeout},
		{"deadline of a socket", read(os.ErrDeadlineExceeded), ResultTimeout},
		{"dial too slow", dial(os.ErrDeadlineExceeded), ResultTimeout},
		{"connect timed out", dial(os.NewSyscallError("connect", syscall.ETIMEDOUT)), ResultTimeout},
		{"refused", dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), ResultRefused},
		{"no route", dial(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), ResultRefused},
		{"no network", dial(syscall.ENETUNREACH), ResultRefused},
		{"dial, otherwise", dial(errors.New("hush")), ResultRefused},
		{"no such host", dial(&net.DNSError{Err: "no such host", Name: "x.invalid", IsNotFound: true}), ResultDNS},
		{"look-up too slow", dial(&net.DNSError{Err: "timeout", Name: "x.invalid", IsTimeout: true}), ResultDNS},
		{"blocked", dial(&blockedError{"169.254.169.254"}), ResultBlocked},
		{"no address that is allowed", &unreachableError{why: "none"}, ResultRefused},
		{"no way to the proxy", &net.OpError{Op: "proxyconnect", Net: "tcp", Err: errors.New("hush")}, ResultRefused},
		{"unknown authority", &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, ResultTLS},
		{"another host", x509.HostnameError{Certificate: &x509.Certificate{}, Host: "x"}, ResultTLS},
		{"not TLS", tls.RecordHeaderError{Msg: "hush"}, ResultTLS},
		{"HTTP on HTTPS", http.ErrSchemeMismatch, ResultTLS},
		{"alert", &net.OpError{Op: "remote error", Err: errors.New("tls: hush")}, ResultTLS},
		{"reset", read(os.NewSyscallError("read", syscall.ECONNRESET)), ResultReset},
		{"end", io.EOF, ResultReset},
		{"short", io.ErrUnexpectedEOF, ResultReset},
		{"pipe", read(syscall.EPIPE), ResultReset},
		{"not HTTP", errors.New(`malformed HTTP response "hush"`), ResultReset},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := resultOfError(tt.in); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if text := describe(tt.in); text == "" || strings.Contains(text, "hush") {
				t.Errorf("described as %q", text)
			}
		})
	}
}

func TestResultOfStatus(t *testing.T) {
	for status, want := range map[int]string{
		101: "reset", 200: "2xx", 299: "2xx", 301: "3xx", 308: "3xx", 404: "4xx", 429: "4xx", 500: "5xx", 999: "5xx",
	} {
		if got := resultOfStatus(status).String(); got != want {
			t.Errorf("%d is %s, want %s", status, got, want)
		}
	}
}
