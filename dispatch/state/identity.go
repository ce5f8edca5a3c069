package state

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Identity identifies a database. A restored dump has another identity; a standby, and a
// copy of the server's files, has the same.
type Identity struct {
	System   string // system identifier of the server; "": unknown
	Database int64  // oid; 0: unknown
	Name     string // for display: a renamed database is the same
}

func (i Identity) String() string {
	if i.Database == 0 {
		return "an unknown database"
	}
	return fmt.Sprintf("database %q (oid %d, system identifier %s)", i.Name, i.Database, i.System)
}

// Is reports whether both are the same database, as far as is known.
func (i Identity) Is(o Identity) bool {
	return i.Database == o.Database && (i.System == o.System || i.Database != 0 && (i.System == "" || o.System == ""))
}

// CopyError states that the tables were copied from another database, with parked
// deliveries that the other one may have made.
type CopyError struct {
	Schema string
	Of     Identity
	Here   Identity
	Parked int64
}

func (e *CopyError) Error() string {
	return fmt.Sprintf("the tables in schema %q are a copy: they belong to %s, and this is %s. %d deliveries were parked there, and nothing is sent until you decide what to do with them: "+
		"`hooktail repair --forget-parked` deletes them, for a copy beside the original; `hooktail repair --keep-parked` sends them, for example after a restore or pg_upgrade",
		e.Schema, e.Of, e.Here, e.Parked)
}

// CheckCopy returns a *CopyError if the tables belong to another database and have
// deliveries parked. It changes nothing.
func CheckCopy(ctx context.Context, q Querier, schema string) error {
	_, _, err := origin(ctx, q, schema)
	return err
}

// CheckCopy is like the function CheckCopy, and also records this database as that of the
// tables if no parked delivery could be sent twice.
func (s *Store) CheckCopy(ctx context.Context) error {
	of, here, err := origin(ctx, s.pool, s.schema)
	if err != nil || of.Is(here) {
		return err
	}
	return note(ctx, s.pool, s.schema, here)
}

// KeepParked records this database as that of the tables, with all their content.
func (s *Store) KeepParked(ctx context.Context) error {
	here, err := Here(ctx, s.pool)
	if err != nil {
		return err
	}
	return note(ctx, s.pool, s.schema, here)
}

// Ahead counts the parked deliveries of commits that are beyond the end of this server's WAL:
// another server has made them, and in the order of the commits they follow what this one
// commits until it has written as much.
func (s *Store) Ahead(ctx context.Context) (n int64, err error) {
	err = s.pool.QueryRow(ctx, s.sql(`SELECT count(*) FROM {parked} WHERE state = 'parked' AND commit_lsn > pg_current_wal_insert_lsn()`)).Scan(&n)
	return n, wrap(err, "count deliveries of another server")
}

// ForgetParked deletes all stored deliveries, including dead ones, and records this
// database as that of the tables. n is their number, also with an error; then it may be
// repeated.
func (s *Store) ForgetParked(ctx context.Context) (n int64, err error) {
	if n, err = s.Discard(ctx, Filter{}, false); err != nil {
		return n, err
	}
	return n, s.KeepParked(ctx)
}

// origin returns the database to which the tables belong, and this one.
func origin(ctx context.Context, q Querier, schema string) (of, here Identity, err error) {
	if here, err = Here(ctx, q); err != nil {
		return of, here, err
	}
	err = q.QueryRow(ctx, "SELECT system_id, database, name FROM "+quote(schema, "identity")).Scan(&of.System, &of.Database, &of.Name)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return of, here, nil // none has been recorded yet
	case err != nil || of.Is(here):
		return of, here, wrap(err, "read the tables' identity")
	}
	fault := &CopyError{Schema: schema, Of: of, Here: here}
	err = q.QueryRow(ctx, "SELECT count(*) FROM "+quote(schema, "parked")+" WHERE state = 'parked'").Scan(&fault.Parked)
	if err == nil && fault.Parked > 0 {
		return of, here, fault
	}
	return of, here, wrap(err, "count deliveries")
}

// Here returns the identity of this database.
func Here(ctx context.Context, q Querier) (here Identity, err error) {
	err = q.QueryRow(ctx, `SELECT oid::bigint, datname::text FROM pg_catalog.pg_database WHERE datname = current_database()`).Scan(&here.Database, &here.Name)
	if err != nil {
		return here, wrap(err, "read the database's identity")
	}
	err = q.QueryRow(ctx, `SELECT system_identifier::text FROM pg_catalog.pg_control_system()`).Scan(&here.System)
	switch sqlState(err) {
	case insufficientPrivilege,
		"42883", // undefined function
		"0A000": // feature not supported
		return here, nil // possible in a managed service
	}
	return here, wrap(err, "read the database's identity")
}

func note(ctx context.Context, db Querier, schema string, i Identity) error {
	_, err := db.Exec(ctx, "INSERT INTO "+quote(schema, "identity")+` (system_id, database, name) VALUES ($1, $2, $3)
		ON CONFLICT (id) DO UPDATE SET system_id = excluded.system_id, database = excluded.database, name = excluded.name, noted_at = now()`,
		i.System, i.Database, i.Name)
	return wrap(err, "record the database")
}

// provenSQL reports whether tables without an identity are still where they were created:
// a slot that was read still exists on the same server, or nothing is parked.
const provenSQL = `SELECT NOT EXISTS (SELECT FROM {}.parked WHERE state = 'parked') OR EXISTS (
	SELECT FROM {}.position p JOIN pg_catalog.pg_replication_slots s ON s.slot_name = p.slot AND s.database = current_database()
	WHERE p.system_id = $1)`

// identify records the database of tables that were just created, or migrated from
// version 1. If it is not proven, none is recorded, and a person must decide.
func identify(ctx context.Context, conn *pgx.Conn, schema string) error {
	here, err := Here(ctx, conn)
	if err != nil {
		return err
	}
	var proven bool
	if err := conn.QueryRow(ctx, strings.ReplaceAll(provenSQL, "{}", quote(schema)), here.System).Scan(&proven); err != nil {
		return wrap(err, "look for the earlier slot")
	}
	if !proven {
		here = Identity{}
	}
	return note(ctx, conn, schema, here)
}
