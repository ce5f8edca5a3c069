package cdc

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/internal/postgres"
)

// unreachable is an error of failed connections. It names each cause once: pgx repeats it
// for each address, with and without TLS.
type unreachable struct {
	text string
	err  error
}

func (u *unreachable) Error() string { return u.text }
func (u *unreachable) Unwrap() error { return u.err }

// Concise returns the error, with one line for each failed connection among its causes.
// Neither contains a password.
func Concise(err error) error {
	before := err.Error()
	text := before
	for _, failed := range connections(err) {
		text = strings.ReplaceAll(text, failed.Error(), brief(failed))
	}
	if text == before {
		return err
	}
	return &unreachable{text: text, err: err}
}

// connections returns the failed connections among the causes of err.
func connections(err error) (failed []*pgconn.ConnectError) {
	if failed, ok := err.(*pgconn.ConnectError); ok { //nolint:errorlint // its own causes are those of one connection
		return []*pgconn.ConnectError{failed}
	}
	if cause := errors.Unwrap(err); cause != nil {
		return connections(cause)
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, cause := range joined.Unwrap() {
			failed = append(failed, connections(cause)...)
		}
	}
	return failed
}

// brief describes a failed connection.
func brief(failed *pgconn.ConnectError) string {
	config := failed.Config
	withoutTLS := config.TLSConfig == nil || slices.ContainsFunc(config.Fallbacks, func(f *pgconn.FallbackConfig) bool { return f.TLSConfig == nil })
	attempts := []error{failed.Unwrap()}
	if joined, ok := attempts[0].(interface{ Unwrap() []error }); ok {
		attempts = joined.Unwrap()
	}
	var causes []string
	addresses := map[string][]string{} // by cause
	for _, attempt := range attempts {
		cause, address := causeOf(attempt)
		if withoutTLS && strings.HasSuffix(cause, ": server refused TLS connection") {
			continue // pgx has tried again without TLS: this is not why it failed
		}
		if !slices.Contains(causes, cause) {
			causes = append(causes, cause)
		}
		if address != "" && !slices.Contains(addresses[cause], address) {
			addresses[cause] = append(addresses[cause], address)
		}
	}
	for i, cause := range causes {
		if on := addresses[cause]; len(on) > 0 {
			causes[i] += " (" + strings.Join(on, ", ") + ")"
		}
	}
	text := fmt.Sprintf("cannot connect to database %q as %q: %s", config.Database, config.User, strings.Join(causes, "; "))
	if unknown, ok := errors.AsType[*net.DNSError](failed); ok && unknown.IsNotFound {
		text += "; if the password in HOOKTAIL_DATABASE_URL has special characters, percent-encode them (@ is %40, / is %2F, # is %23)"
	}
	if postgres.Code(failed) == postgres.ProtocolViolation { // a server has no reason to answer so
		text += "; this is a pooler such as PgBouncer: HOOKTAIL_DATABASE_URL must name the server itself"
	}
	return text
}

// causeOf returns the cause of one failed attempt, and its address, or "" if that adds
// nothing.
func causeOf(err error) (cause, address string) {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Sprintf("host %q: %s", dns.Name, dns.Err), ""
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Addr != nil {
		inner := op.Err
		for next := errors.Unwrap(inner); next != nil; next = errors.Unwrap(inner) {
			inner = next
		}
		return inner.Error(), op.Addr.String()
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Error(), ""
	}
	return err.Error(), ""
}
