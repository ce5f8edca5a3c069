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

// connectPatience bounds the making of one connection where the connection string has
// no connect_timeout: a server that accepts and says nothing must be noticed.
const connectPatience = 10 * time.Second

// Role is the one setting of the server that a connection string may have: who logs in
// with credentials that are rotated acts as the role that has the privileges.
// https://www.postgresql.org/docs/current/sql-set-role.html
const Role = "role"

// ParameterError is a connection string with parameters that the program does not
// take: it does not know them, or they are its own to choose.
type ParameterError struct {
	Names []string // sorted; *** where the text may be anything else than a name
}

func (e *ParameterError) Error() string {
	if len(e.Names) == 1 {
		return fmt.Sprintf("has the parameter %s, which hooktail does not take", e.Names[0])
	}
	return fmt.Sprintf("has the parameters %s, which hooktail does not take", strings.Join(e.Names, ", "))
}

// Check parses the connection string as all sessions do. An error is a
// *ParameterError, a *ValueError or pgconn's; the text of the last may quote the string,
// with a password in it.
func Check(url string) error {
	_, err := parse(url)
	return err
}

// Ordinary are the options of a session that runs queries. Errors are those of Check.
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

// Replication are the options of a session that streams, less what package cdc
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

// refused are the parameters that pgconn leaves for the server, pgx or its pool. A
// session would carry them as settings, and each of the three has some that change
// what hooktail relies on.
//
// What the environment of the process says for all programs (PGOPTIONS, PGTZ) is no
// fault of the connection string, and is passed over: no session inherits it.
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

// likeName matches what may be shown as a parameter's name. A password with an
// ampersand that is not escaped makes one as well, which is seldom so plain.
var likeName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z_]{1,62}$`)
