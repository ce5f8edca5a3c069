package postgres

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// connectPatience bounds connecting if the connection string has no connect_timeout, so
// that a server that accepts the connection and then stays silent is noticed.
const connectPatience = 10 * time.Second

// Role is the only setting of the server that a connection string may contain: a login
// role whose credentials are rotated acts as the role that has the privileges.
// https://www.postgresql.org/docs/current/sql-set-role.html
const Role = "role"

// ParameterError is a connection string with parameters that the program does not
// accept, because it does not know them or chooses them itself.
type ParameterError struct {
	Names []string // sorted; *** for text that may not be a name
}

func (e *ParameterError) Error() string {
	parameters := "parameter"
	if len(e.Names) > 1 {
		parameters += "s"
	}
	return fmt.Sprintf("has the %s %s, which hooktail does not accept", parameters, strings.Join(e.Names, ", "))
}

// Check parses the connection string as every session does. An error is a
// *ParameterError, a *ValueError or pgconn's own, whose text may quote the string with a
// password in it.
func Check(url string) error {
	_, err := parse(url)
	return err
}

// Ordinary returns the options of a session that runs queries. Errors are those of
// Check.
func Ordinary(url string) (*pgx.ConnConfig, error) {
	if err := Check(url); err != nil {
		return nil, err
	}
	options, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	Fix(&options.Config, nil)
	return options, nil
}

// Replication returns the options of a session that streams, except for what package cdc
// adds. Errors are those of Check.
func Replication(url string) (*pgconn.Config, error) {
	options, err := parse(url)
	if err != nil {
		return nil, err
	}
	Fix(options, nil)
	return options, nil
}

func parse(url string) (*pgconn.Config, error) {
	options, err := pgconn.ParseConfig(url)
	if err == nil && !isUsable(options) {
		err = errUnusable
	}
	if err != nil {
		return nil, faultOf(url, err)
	}
	if names := refused(options.RuntimeParams); len(names) > 0 {
		return nil, &ParameterError{Names: names}
	}
	return options, nil
}

// refused names the parameters that pgconn leaves to the server, to pgx or to its pool.
// A session would carry them as settings, and each of the three has settings that change
// what hooktail relies on.
//
// Parameters that the environment sets for all programs (PGOPTIONS, PGTZ) are not faults
// of the connection string. They are ignored: no session inherits them.
func refused(params map[string]string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(params)) {
		switch {
		case name == "application_name", name == "fallback_application_name": // every program has one; hooktail's is its own
		case name == Role:
		case name == "options" && params[name] == os.Getenv("PGOPTIONS"):
		case name == "timezone" && params[name] == os.Getenv("PGTZ"):
		case likeName.MatchString(name):
			names = append(names, name)
		default:
			names = append(names, "***")
		}
	}
	return slices.Compact(names)
}

// likeName matches text that may be shown as a parameter's name. An unescaped ampersand
// in a password also creates a parameter; its text seldom looks like a name.
var likeName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z_]{1,62}$`)
