package cdc

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/hooktail/hooktail/internal/postgres"
)

// Reason is the kind of a Fault.
type Reason int

// Reasons why the stream cannot run until a person fixes something.
const (
	Unreachable           Reason = iota + 1 // no connection since the start, until the patience ended
	Authentication                          // the server refused role or password
	DatabaseMissing                         // the database does not exist
	Privilege                               // the role may not do this
	ServerVersion                           // the server is too old
	Standby                                 // the server accepts no writes (only Setup and Teardown)
	WALLevel                                // wal_level is not logical
	SlotMissing                             // the slot does not exist
	SlotWrong                               // the slot is physical, or belongs to another plugin or database
	SlotActive                              // another session is using the slot (only Teardown)
	SlotBlocked                             // the slot waits for running transactions (only Setup)
	TableLocked                             // other sessions hold locks on the tables (only Setup and Teardown)
	PublicationMissing                      // the publication does not exist
	PublicationYounger                      // the publication did not exist at the slot's position
	PublicationIncomplete                   // a table is not published
	OperationsMissing                       // an operation is not published
	PublicationNarrowed                     // a row filter or a column list withholds changes, or a table is published as its partitions
	GeneratedColumns                        // generated columns are not published although the server requires it
	TableMissing                            // a table, column or schema does not exist
	IdentityUnsafe                          // REPLICA IDENTITY FULL would stop the application's updates
	NotOwner                                // the role owns neither table nor publication
	Undecodable                             // the server cannot decode a change
	Protocol                                // the server sent something outside pgoutput's protocol 1
)

// String returns the reason as a metric label.
func (r Reason) String() string {
	names := [...]string{
		Unreachable: "unreachable", Authentication: "authentication", DatabaseMissing: "database_missing",
		Privilege: "privilege", ServerVersion: "server_version", Standby: "standby", WALLevel: "wal_level", SlotMissing: "slot_missing",
		SlotWrong: "slot_wrong", SlotActive: "slot_active", SlotBlocked: "slot_blocked", TableLocked: "table_locked",
		PublicationMissing: "publication_missing", PublicationYounger: "publication_younger", PublicationIncomplete: "publication_incomplete",
		OperationsMissing: "operations_missing", PublicationNarrowed: "publication_narrowed", GeneratedColumns: "generated_columns",
		TableMissing: "table_missing", IdentityUnsafe: "identity_unsafe", NotOwner: "not_owner", Undecodable: "undecodable", Protocol: "protocol",
	}
	if r <= 0 || int(r) >= len(names) {
		return "unknown"
	}
	return names[r]
}

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
	if postgres.Code(err) == postgres.InsufficientPrivilege && !Final(err) {
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

// Final reports whether err is a Fault or a Gap, which retrying does not fix.
func Final(err error) bool {
	var fault *Fault
	var gap *Gap
	return errors.As(err, &fault) || errors.As(err, &gap)
}
