package cdc

import (
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
)

// Reason is the kind of a Fault.
type Reason int

// The reasons why the stream cannot run until somebody mends something.
const (
	Unreachable           Reason = iota + 1 // no connection since the start, for as long as the patience lasted
	Authentication                          // the server refused role or password
	DatabaseMissing                         // the database does not exist
	Privilege                               // the role may not do this
	ServerVersion                           // the server is too old
	Standby                                 // the server accepts no writes (Setup and Teardown alone)
	WALLevel                                // wal_level is not logical
	SlotMissing                             // the slot does not exist
	SlotWrong                               // the slot is physical, of another plugin or another database
	SlotActive                              // somebody else is using the slot (Teardown alone)
	SlotBlocked                             // the slot waits for running transactions (Setup alone)
	TableLocked                             // others hold locks on the tables (Setup and Teardown alone)
	PublicationMissing                      // the publication does not exist, or did not at the slot's position
	PublicationIncomplete                   // a table is not published
	OperationsMissing                       // an operation is not published
	PublicationNarrowed                     // a row filter or a column list keeps changes back, or a table is published as its partitions
	GeneratedColumns                        // generated columns are not published, though the server wants them to be
	TableMissing                            // a table does not exist
	IdentityUnsafe                          // REPLICA IDENTITY FULL would stop the application's updates
	NotOwner                                // the role owns neither table nor publication
	Option                                  // the server refused an option or a name
	Protocol                                // the server sent what pgoutput's protocol 1 does not have
)

// String is the reason as a metric label.
func (r Reason) String() string {
	names := [...]string{
		Unreachable: "unreachable", Authentication: "authentication", DatabaseMissing: "database_missing",
		Privilege: "privilege", ServerVersion: "server_version", Standby: "standby", WALLevel: "wal_level", SlotMissing: "slot_missing",
		SlotWrong: "slot_wrong", SlotActive: "slot_active", SlotBlocked: "slot_blocked", TableLocked: "table_locked",
		PublicationMissing: "publication_missing", PublicationIncomplete: "publication_incomplete", OperationsMissing: "operations_missing", PublicationNarrowed: "publication_narrowed", GeneratedColumns: "generated_columns",
		TableMissing: "table_missing", IdentityUnsafe: "identity_unsafe", NotOwner: "not_owner", Option: "option", Protocol: "protocol",
	}
	if r <= 0 || int(r) >= len(names) {
		return "unknown"
	}
	return names[r]
}

// Fault is an error that trying again does not cure. Its message says what is
// wrong, by name, and how to mend it.
type Fault struct {
	Reason Reason
	What   string
	Mend   string // "" where nothing can be said
	Err    error  // the cause; may be nil
}

func (f *Fault) Error() string {
	s := f.What
	if f.Mend != "" {
		s += ": " + f.Mend
	}
	if f.Err != nil {
		s += ": " + f.Err.Error()
	}
	return s
}

// Unwrap is the cause.
func (f *Fault) Unwrap() error { return f.Err }

// activeError says that another connection is reading the slot. It passes by
// itself: the other ends, or was ours and has not been missed yet.
type activeError struct {
	slot string
	pid  string
	err  error
}

func (e *activeError) Error() string {
	if e.pid == "" {
		return fmt.Sprintf("slot %q is in use", e.slot)
	}
	return fmt.Sprintf("slot %q is in use by server process %s", e.slot, e.pid)
}

func (e *activeError) Unwrap() error { return e.err }

// SQLSTATEs that are looked at.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
const (
	invalidAuthorization  = "28000"
	invalidPassword       = "28P01"
	invalidCatalogName    = "3D000"
	insufficientPrivilege = "42501"
	undefinedObject       = "42704"
	duplicateObject       = "42710"
	syntaxError           = "42601"
	invalidName           = "42602"
	invalidParameterValue = "22023"
	featureNotSupported   = "0A000"
	objectInUse           = "55006"
	undefinedFile         = "58P01"
	lockNotAvailable      = "55P03"
	queryCanceled         = "57014"
)

// sqlState is the SQLSTATE that the server gave, "" if err is not the server's.
func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// classify turns an error of the server that trying again does not cure into a
// Fault or a Gap, and returns every other error as it is: connections that
// fail or break (08…), servers that start, stop or are full (57P01, 57P03,
// 53300), and whatever is not known.
func (s *Stream) classify(err error) error {
	if Final(err) {
		return err
	}
	o := &s.o
	switch sqlState(err) {
	case invalidAuthorization, invalidPassword, invalidCatalogName:
		return Explain(err, o.Config)
	case insufficientPrivilege:
		return &Fault{
			Privilege, fmt.Sprintf("role %q may not stream", o.Config.User),
			fmt.Sprintf("ALTER ROLE %s REPLICATION (RDS: GRANT rds_replication TO %[1]s)", quoteIdent(o.Config.User)), err,
		}
	case undefinedObject:
		return &Fault{
			PublicationMissing, fmt.Sprintf("publication %q did not exist yet at the position of slot %q", o.Publication, o.Slot),
			fmt.Sprintf("only a slot that is younger than the publication helps: SELECT pg_drop_replication_slot(%s); and then `hooktail repair --resend`, or `hooktail setup` if it was never read",
				quoteText(o.Slot)), err,
		}
	case syntaxError, invalidName, invalidParameterValue, featureNotSupported:
		return &Fault{Option, "the server refused an option", "", err}
	case objectInUse:
		return &activeError{slot: o.Slot, err: err}
	case undefinedFile:
		from, since := s.position.ConfirmedAt()
		return &Gap{Slot: o.Slot, From: from, Since: since, Why: "the server has removed the WAL that the slot needs"}
	}
	return err
}

// Explain turns the server's refusal of a connection into a Fault that says what
// to do, and returns every other error as it is. Neither shows a password.
func Explain(err error, config *pgconn.Config) error {
	switch sqlState(err) {
	case invalidAuthorization, invalidPassword:
		return &Fault{
			Authentication, fmt.Sprintf("role %q was refused", config.User),
			"check user, password and pg_hba.conf (database access, not the keyword replication, is what it needs)", err,
		}
	case invalidCatalogName:
		return &Fault{DatabaseMissing, fmt.Sprintf("database %q does not exist", config.Database), "check HOOKTAIL_DATABASE_URL", err}
	}
	return concise(err, config)
}

// Transient reports whether an error of a query may pass by itself: the
// connection broke or could not be made, or the server starts, stops, is full or
// has no time (SQLSTATE classes 08, 40, 53 and 57). A *Diverged is over with a new Stream.
func Transient(err error) bool {
	if isDiverged(err) {
		return true
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code[:min(2, len(pg.Code))] {
		case "08", "40", "53", "57":
			return true
		}
		return false
	}
	var network net.Error
	var connect *pgconn.ConnectError
	return errors.As(err, &network) || errors.As(err, &connect) || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed)
}

// Final reports whether err is one that trying again does not cure: a Fault or a Gap.
func Final(err error) bool {
	var fault *Fault
	var gap *Gap
	return errors.As(err, &fault) || errors.As(err, &gap)
}
