package cdc

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/internal/postgres"
)

// Reason is the kind of a Fault.
type Reason string

// Reasons why the stream cannot run until a person fixes something.
const (
	Unreachable           Reason = "unreachable"            // no connection since the start, until the patience ended
	Authentication        Reason = "authentication"         // the server refused role or password
	DatabaseMissing       Reason = "database_missing"       // the database does not exist
	Privilege             Reason = "privilege"              // the role may not do this
	ServerVersion         Reason = "server_version"         // the server is too old
	Standby               Reason = "standby"                // the server accepts no writes (only Setup and Teardown)
	WALLevel              Reason = "wal_level"              // wal_level is not logical
	Synchronous           Reason = "synchronous"            // commits would wait for the stream, as for a standby
	SlotMissing           Reason = "slot_missing"           // the slot does not exist
	SlotWrong             Reason = "slot_wrong"             // the slot is physical, or belongs to another plugin or database
	SlotActive            Reason = "slot_active"            // another session is using the slot (only Teardown)
	SlotBlocked           Reason = "slot_blocked"           // the slot waits for running transactions (only Setup)
	TableLocked           Reason = "table_locked"           // other sessions hold locks on the tables (only Setup and Teardown)
	PublicationMissing    Reason = "publication_missing"    // the publication does not exist
	PublicationYounger    Reason = "publication_younger"    // the publication did not exist at the slot's position
	PublicationIncomplete Reason = "publication_incomplete" // a table is not published
	OperationsMissing     Reason = "operations_missing"     // an operation is not published
	PublicationNarrowed   Reason = "publication_narrowed"   // a row filter or a column list withholds changes, or a table is published as its partitions
	GeneratedColumns      Reason = "generated_columns"      // generated columns are not published although the server requires it
	TableMissing          Reason = "table_missing"          // a table, column or schema does not exist
	IdentityUnsafe        Reason = "identity_unsafe"        // REPLICA IDENTITY FULL would stop the application's updates
	NotOwner              Reason = "not_owner"              // the role owns neither table nor publication
	StateShared           Reason = "state_shared"           // hooktail's own tables serve another Label Studio (only Setup)
	Undecodable           Reason = "undecodable"            // the server cannot decode a change
	Protocol              Reason = "protocol"               // the server sent something outside pgoutput's protocol 1
)

// Fault is an error that retrying does not fix. Its message names what is wrong, and how
// to fix it.
type Fault struct {
	Reason Reason
	What   string
	Mend   string // "" if unknown
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

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }

// Passes reports whether the fault may go away by itself. A command ends with it; a
// long-running program tries again.
func (f *Fault) Passes() bool {
	return f.Reason == Unreachable || f.Reason == SlotActive || f.Reason == SlotBlocked || f.Reason == TableLocked
}

// activeError states that another connection is reading the slot. It goes away by itself:
// the other connection ends, or it is our own and the server has not noticed its end yet.
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

// refused turns the refusal of a replication connection into a Fault if retrying does not
// fix it.
func (s *Stream) refused(err error) error {
	if postgres.Code(err) == postgres.InsufficientPrivilege && !postgres.RefusesDatabase(err) && !Final(err) {
		user := s.o.Config.User
		return &Fault{
			Privilege, fmt.Sprintf("role %q may not stream", user),
			fmt.Sprintf("ALTER ROLE %s REPLICATION (RDS: GRANT rds_replication TO %[1]s)", quoteIdent(user)), err,
		}
	}
	return Explain(err, s.o.Config)
}

// classify turns an error of an open connection into a Fault or a Gap if retrying does
// not fix it, and returns other errors unchanged: broken connections, servers that are
// starting, stopping, full or in recovery, and unknown errors.
func (s *Stream) classify(err error) error {
	if Final(err) {
		return err
	}
	o := &s.o
	switch postgres.Code(err) {
	case postgres.UndefinedObject:
		return &Fault{
			PublicationYounger, fmt.Sprintf("publication %q did not exist yet at the position of slot %q", o.Publication, o.Slot),
			"the slot must be younger than its publication: " + replaceSlot(o.Slot), err,
		}
	case postgres.ObjectInUse:
		return &activeError{slot: o.Slot, err: err}
	case postgres.UndefinedFile:
		if !postgres.IsOfWAL(err) {
			return err // a library that the server cannot find, for example pgoutput
		}
		read := s.position.progress()
		return &Gap{Slot: o.Slot, From: read.confirmed, Since: read.at, Why: "the server has removed the WAL that the slot needs"}
	}
	return Explain(err, o.Config)
}

// undecodable turns an error that the server's output plugin met at one change into a
// Fault. The server meets it again each time that it begins, for example at a row larger
// than 1 GB. The last line of the error's context names the change.
func (s *Stream) undecodable(err error) error {
	fault, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || Final(err) || fault.SeverityUnlocalized != "ERROR" || fault.Where == "" || fault.Code == postgres.QueryCanceled {
		return err // a session may be cancelled at any change
	}
	mend := ""
	if !s.o.Temporary { // otherwise the slot is gone with its connection
		mend = "if it persists, give up what the slot retains: " + replaceSlot(s.o.Slot)
	}
	return &Fault{Undecodable, "the server cannot decode a change: " + fault.Where[strings.LastIndexByte(fault.Where, '\n')+1:], mend, err}
}

// Explain turns an error of the server that only a person can fix into a Fault with the
// remedy, and returns other errors unchanged. Neither contains a password.
// postgres.Remedy lists these errors.
func Explain(err error, config *pgconn.Config) error {
	if Final(err) {
		return err
	}
	err = Concise(err)
	if role := config.RuntimeParams[postgres.Role]; role != "" && postgres.RefusesRole(err) {
		return &Fault{
			Authentication, fmt.Sprintf("role %q may not act as role %q, which the connection string names", config.User, role),
			fmt.Sprintf("GRANT %s TO %s; or take the parameter role out", quoteIdent(role), quoteIdent(config.User)), err,
		}
	}
	if postgres.RefusesDatabase(err) {
		return &Fault{
			Privilege, fmt.Sprintf("role %q may not connect to database %q", config.User, config.Database),
			fmt.Sprintf("GRANT CONNECT ON DATABASE %s TO %s", quoteIdent(config.Database), quoteIdent(config.User)), err,
		}
	}
	remedy := postgres.Remedy(err)
	if remedy == "" {
		return err
	}
	switch postgres.Code(err) {
	case postgres.InvalidAuthorization, postgres.InvalidPassword:
		return &Fault{Authentication, fmt.Sprintf("role %q was refused", config.User), remedy, err}
	case postgres.InvalidCatalogName:
		return &Fault{DatabaseMissing, fmt.Sprintf("database %q does not exist", config.Database), remedy, err}
	case postgres.InsufficientPrivilege:
		return &Fault{Privilege, fmt.Sprintf("role %q lacks a privilege", config.User), remedy, err}
	default:
		return &Fault{TableMissing, "a table or column that hooktail needs is missing", remedy, err}
	}
}

// Answered reports whether the server has answered on the connection that ended with err: it
// refused the stream, or the stream refused it.
func Answered(err error) bool {
	return postgres.Code(err) != "" || Final(err) || errors.Is(err, errStandby)
}

// Final reports whether err is a Fault or a Gap, which retrying does not fix.
func Final(err error) bool {
	var fault *Fault
	var gap *Gap
	return errors.As(err, &fault) || errors.As(err, &gap)
}
