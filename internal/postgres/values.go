package postgres

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// ValueError is a connection string with unusable parameter values. It shows no value,
// except the path of a file that cannot be read.
type ValueError struct {
	Values []Value // in the order in which they were checked; at least one
}

// Value is a parameter with an unusable value.
type Value struct {
	Name string // name of the parameter, or of two that belong together
	Use  string // what to use instead
	File error  // error of reading the file that the value names; nil: none
}

func (e *ValueError) Error() string {
	texts := make([]string, len(e.Values))
	for i, v := range e.Values {
		texts[i] = fmt.Sprintf("has an invalid %s: use %s", v.Name, v.Use)
		if file, ok := errors.AsType[*fs.PathError](v.File); ok {
			texts[i] += fmt.Sprintf(" (read %s: %v)", showable(file.Path), file.Err)
		}
	}
	return strings.Join(texts, "; ")
}

// showable returns the path, or *** if it looks like a misplaced connection string.
func showable(path string) string {
	if strings.ContainsAny(path, "@=") || strings.Contains(path, "://") {
		return "***"
	}
	return path
}

// parameter is a parameter whose value may be invalid, with a valid value.
type parameter struct{ name, good, use string }

// parameters lists the parameters whose values pgconn or the program may refuse. Each can
// be checked after those before it.
func parameters() []parameter {
	return []parameter{
		{"port", "5432", "a number from 1 to 65535, or one for each host"},
		{"connect_timeout", "10", "a whole number of seconds, up to a day"},
		{"target_session_attrs", "any", "any, read-write or primary"},
		{"sslnegotiation", "postgres", "postgres or direct"},
		{"sslmode", "prefer", "disable, allow, prefer, require, verify-ca or verify-full"},
		{"sslcertmode", "allow", "disable, allow or require"},
		{"sslrootcert", "", "a file with certificates in PEM, or system"},
		{"sslcert and sslkey", "", "both of them, files with a certificate and its private key in PEM, and sslpassword if the key is encrypted"},
		{"min_protocol_version", "3.0", "3.0, 3.2 or latest"},
		{"max_protocol_version", "latest", "3.0, 3.2 or latest, and none below min_protocol_version"},
		{"channel_binding", "prefer", "disable, prefer or require"},
		{"require_auth", "", "authentication methods separated by commas, such as scram-sha-256"},
	}
}

// longestConnect bounds connect_timeout: in pgconn a timeout of centuries overflows.
const longestConnect = 24 * time.Hour

// isUsable reports whether the program can use the values, which pgconn has accepted.
// pgconn treats every unknown sslnegotiation as postgres. A session with a server that
// accepts no writes can neither hold the lock nor store a position.
func isUsable(options *pgconn.Config) bool {
	negotiates := options.SSLNegotiation == "" || options.SSLNegotiation == "postgres" || options.SSLNegotiation == "direct"
	return negotiates && options.ConnectTimeout >= 0 && options.ConnectTimeout <= longestConnect && !wantsStandby(options)
}

var errUnusable = errors.New("a value in the connection string cannot be used by hooktail")

// wantsStandby reports whether target_session_attrs asks for a server that accepts no
// writes. The options contain it only as a function.
func wantsStandby(options *pgconn.Config) bool {
	of := func(f pgconn.ValidateConnectFunc) uintptr { return reflect.ValueOf(f).Pointer() }
	switch of(options.ValidateConnect) {
	case of(pgconn.ValidateConnectTargetSessionAttrsReadOnly), of(pgconn.ValidateConnectTargetSessionAttrsStandby), of(pgconn.ValidateConnectTargetSessionAttrsPreferStandby):
		return true
	}
	return false
}

// faultOf returns a *ValueError that names the values which caused err. The error is
// pgconn's or errUnusable; if no value caused it, it is returned unchanged.
//
// pgconn names the parameter only in the text of its error. So the string is parsed
// again with a valid value for each parameter, and then the string's own values are put
// back one by one. They may also come from the environment or from a service file.
func faultOf(connString string, err error) error {
	// If pgconn can split the string into parameters, its error for a list of allowed ones that
	// is empty wraps no other error.
	if _, malformed := pgconn.ParseConfigWithOptions(connString, pgconn.ParseConfigOptions{ConnStringAllowedKeys: []string{}}); errors.Unwrap(malformed) != nil {
		return err
	}
	rest := parameters()
	if _, err := pgconn.ParseConfig(with(connString, rest)); err != nil {
		return &ValueError{Values: []Value{{Name: "service", Use: "the name of a service in the file that servicefile names, or ~/.pg_service.conf"}}}
	}
	var bad []parameter
	fault := &ValueError{}
	for len(rest) > 0 {
		p := rest[0]
		rest = rest[1:]
		if own, err := pgconn.ParseConfig(with(connString, slices.Concat(bad, rest))); err != nil || !isUsable(own) {
			bad = append(bad, p)
			fault.Values = append(fault.Values, Value{Name: p.name, Use: p.use, File: err})
		}
	}
	if len(bad) == 0 {
		return err
	}
	return fault
}

// with returns the connection string with the valid values of the parameters. The last of
// several values counts.
func with(connString string, good []parameter) string {
	isURL := strings.HasPrefix(connString, "postgres://") || strings.HasPrefix(connString, "postgresql://")
	text := strings.Builder{}
	text.WriteString(connString)
	sep := "?"
	if strings.Contains(connString, "?") {
		sep = "&"
	}
	for _, p := range good {
		for name := range strings.SplitSeq(p.name, " and ") {
			if !isURL {
				text.WriteString(" " + name + "='" + p.good + "'")
				continue
			}
			text.WriteString(sep + name + "=" + url.QueryEscape(p.good))
			sep = "&"
		}
	}
	return text.String()
}
