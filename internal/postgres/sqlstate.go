package postgres

import (
	"errors"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

// SQLSTATEs that the program distinguishes.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
const (
	ProtocolViolation     = "08P01"
	InvalidParameter      = "22023"
	UniqueViolation       = "23505"
	InvalidAuthorization  = "28000"
	InvalidPassword       = "28P01"
	InvalidCatalogName    = "3D000"
	InvalidSchemaName     = "3F000"
	InsufficientPrivilege = "42501"
	UndefinedColumn       = "42703"
	UndefinedObject       = "42704"
	DuplicateObject       = "42710"
	UndefinedTable        = "42P01"
	ObjectInUse           = "55006"
	LockNotAvailable      = "55P03"
	QueryCanceled         = "57014"
	UndefinedFile         = "58P01"
)

// Code returns the SQLSTATE sent by the server, or "" if err does not come from a server.
func Code(err error) string {
	if fault, ok := errors.AsType[*pgconn.PgError](err); ok {
		return fault.Code
	}
	return ""
}

// IsOfWAL reports whether an UndefinedFile is a WAL segment that the server has removed.
// The server has one SQLSTATE for all missing files; the name of its source file tells
// them apart, whatever its language.
func IsOfWAL(err error) bool {
	fault, ok := errors.AsType[*pgconn.PgError](err)
	return ok && slices.Contains([]string{"walsender.c", "xlog.c", "xlogreader.c", "xlogutils.c"}, fault.File)
}

// RefusesRole reports whether a connection was refused because of its Role: the role does
// not exist, or the user is not a member of it. Every server accepts the other settings
// that a connection asks for. The name of the server's source file tells such a refusal
// from that of the database or of replication, which has the same SQLSTATE.
func RefusesRole(err error) bool {
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	fault, ok := errors.AsType[*pgconn.PgError](err)
	return connecting && ok && fault.File == "guc.c" && (fault.Code == InvalidParameter || fault.Code == InsufficientPrivilege)
}

// RefusesDatabase reports whether a connection was refused because the user lacks CONNECT on
// the database. The name of the function that sent the error tells this from a missing
// REPLICATION, which has the same SQLSTATE.
func RefusesDatabase(err error) bool {
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	fault, ok := errors.AsType[*pgconn.PgError](err)
	return connecting && ok && fault.Code == InsufficientPrivilege && fault.Routine == "CheckMyDatabase"
}

// Remedy describes what a person must do about an error that does not go away by waiting,
// or returns "". The list is complete: all other errors of the server are retried.
func Remedy(err error) string {
	switch Code(err) {
	case InvalidAuthorization, InvalidPassword:
		return "check user, password and pg_hba.conf (hooktail needs access to the database by name; the keyword replication does not cover it)"
	case InvalidCatalogName:
		return "check HOOKTAIL_DATABASE_URL"
	case InsufficientPrivilege:
		return "grant the role what it lacks: run deploy/role.sql again; `hooktail doctor` names it"
	case InvalidSchemaName, UndefinedTable, UndefinedColumn:
		return "check HOOKTAIL_SOURCE_SCHEMA and the HOOKTAIL_…_TABLE variables against the tables of Label Studio; `hooktail doctor` compares them"
	}
	return ""
}

// Permanent reports whether the error comes from the server and has a Remedy.
func Permanent(err error) bool { return Remedy(err) != "" }
