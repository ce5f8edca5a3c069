package postgres

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// ValueError is a connection string with parameters whose values cannot be used. It
// shows none of the values, but for the name of a file that cannot be read.
type ValueError struct {
	Values []Value // in the order in which they were looked at; at least one
}

// Value is a parameter whose value cannot be used.
type Value struct {
	Name string // of the parameter, or of two that belong together
	Use  string // what can be used instead
	File error  // a *fs.PathError of the file that the value names; nil: it was read, or the value names none
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

// showable is the path, or *** where it looks like a connection string that stands in
// the wrong place.
func showable(path string) string {
	if strings.ContainsAny(path, "@=") || strings.Contains(path, "://") {
		return "***"
	}
	return path
}

// parameter is one whose value may be wrong, with a value that never is.
type parameter struct{ name, good, use string }

// parameters are those of which pgconn or the program refuses values, in an order in which
// each one can be judged once those before it have been.
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

// longestConnect bounds connect_timeout: pgconn lets one of centuries overflow.
const longestConnect = 24 * time.Hour

// isUsable reports whether the values that pgconn takes are of use to the program: it
// takes every sslnegotiation that it does not know for postgres, and sessions with a server
// that accepts no writes can neither hold the lock nor keep a position.
func isUsable(options *pgconn.Config) bool {
	negotiates := options.SSLNegotiation == "" || options.SSLNegotiation == "postgres" || options.SSLNegotiation == "direct"
	return negotiates && options.ConnectTimeout >= 0 && options.ConnectTimeout <= longestConnect && !wantsStandby(options)
}

var errUnusable = errors.New("a value in the connection string is of no use to hooktail")

// wantsStandby reports whether target_session_attrs asks for a server that accepts no
// writes. The options have it as a function alone.
func wantsStandby(options *pgconn.Config) bool {
	if options.ValidateConnect == nil {
		return false
	}
	wants := reflect.ValueOf(options.ValidateConnect).Pointer()
	for _, standby := range [...]pgconn.ValidateConnectFunc{
		pgconn.ValidateConnectTargetSessionAttrsReadOnly, pgconn.ValidateConnectTargetSessionAttrsStandby, pgconn.ValidateConnectTargetSessionAttrsPreferStandby,
	} {
		if wants == reflect.ValueOf(standby).Pointer() {
			return true
		}
	}
	return false
}

// faultOf says which values are to blame for the error, which is pgconn's, or
// errUnusable; where it is none of them, the error is returned as it is.
//
// pgconn names the parameter in the text of its error alone. So it is asked again, with a
// good value in the place of each parameter's own, which are then put back one by one.
// The values may also be those of the environment or of a service file.
func faultOf(connString string, err error) error {
	if !isWellFormed(connString) {
		return err
	}
	all := parameters()
	good := make([]bool, len(all)) // the good value stands in the place of the string's own
	for i := range good {
		good[i] = true
	}
	if _, err := pgconn.ParseConfig(with(connString, all, good)); err != nil {
		return &ValueError{Values: []Value{{Name: "service", Use: "the name of a service in the file that servicefile names, or ~/.pg_service.conf"}}}
	}
	var bad []Value
	for i, p := range all {
		good[i] = false
		if own, err := pgconn.ParseConfig(with(connString, all, good)); err != nil || !isUsable(own) {
			good[i] = true
			bad = append(bad, Value{Name: p.name, Use: p.use, File: err})
		}
	}
	if len(bad) == 0 {
		return err
	}
	return &ValueError{Values: bad}
}

// isWellFormed reports whether pgconn can tell the parameters of the string apart: then an
// error that refuses all of them has no cause.
func isWellFormed(connString string) bool {
	_, err := pgconn.ParseConfigWithOptions(connString, pgconn.ParseConfigOptions{ConnStringAllowedKeys: []string{}})
	return errors.Unwrap(err) == nil
}

// with is the connection string with good values for some of the parameters: of two values
// the last counts.
func with(connString string, all []parameter, good []bool) string {
	isURL := strings.HasPrefix(connString, "postgres://") || strings.HasPrefix(connString, "postgresql://")
	text := strings.Builder{}
	text.WriteString(connString)
	sep := "?"
	if strings.Contains(connString, "?") {
		sep = "&"
	}
	for i, p := range all {
		for name := range strings.SplitSeq(p.name, " and ") {
			switch {
			case !good[i]:
			case isURL:
				text.WriteString(sep + name + "=" + url.QueryEscape(p.good))
				sep = "&"
			default:
				text.WriteString(" " + name + "='" + p.good + "'")
			}
		}
	}
	return text.String()
}
